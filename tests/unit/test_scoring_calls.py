"""TS, PI and CF: a table of turns against golds, what must hold of any turn, and RoTBench's own rules."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.records import ToolCall
from components.contracts.tool_schemas import ToolSchema
from components.scoring.assignment import best_pairs
from components.scoring.calls import CATEGORIES, CallRules, TurnScore, score_turn, show_calls
from components.scoring.rotbench import official_score, rules_for


def make_tool(name: str, *parameters: str) -> ToolSchema:
    properties = {parameter: {"type": "string"} for parameter in parameters}
    schema = {"type": "object", "properties": properties, "required": []}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": schema}}


TOOLS = [make_tool("weather", "city", "days", "unit"), make_tool("search", "query"), make_tool("now")]
ROTBENCH = [*TOOLS, make_tool("ask_to_user", "question"), make_tool("hsinif", "answer")]


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


OSLO, ROME, NOW = call("weather", city="Oslo", days="2"), call("weather", city="Rome"), call("now")


def flags(score: TurnScore) -> str:
    """Such as "TS PI" for a turn with another value."""
    found = {"TS": score.tool_selected, "PI": score.parameters_identified, "CF": score.content_filled}
    return " ".join(name for name, reached in found.items() if reached)


@pytest.mark.parametrize(
    ("made", "golds", "expected", "category"),
    [
        ([OSLO], [[OSLO]], "TS PI CF", "correct"),
        ([NOW], [[NOW]], "TS PI CF", "correct"),
        ([call("weather", days="2", city="Oslo")], [[OSLO]], "TS PI CF", "correct"),
        ([call("weather", city="Oslo", days=2)], [[OSLO]], "TS PI", "wrong content"),
        ([call("weather", city="oslo", days="2")], [[OSLO]], "TS PI", "wrong content"),
        # a gold that is no text where the schema wants text
        ([call("weather", city="[1, 2]")], [[call("weather", city=[1, 2])]], "TS PI CF", "correct"),
        ([call("weather", city="[1,2,3]")], [[call("weather", city=[1, 2])]], "TS PI", "wrong content"),
        ([call("weather", city="Oslo")], [[OSLO]], "TS", "missing parameter"),
        ([call("weather", city="Oslo", days="2", unit="C")], [[OSLO]], "TS", "redundant parameter"),
        ([call("weather", city="Oslo", days="2", colour="C")], [[OSLO]], "TS", "parameter hallucination"),
        ([call("weather", city="Oslo", colour="C")], [[OSLO]], "TS", "parameter hallucination"),
        ([call("search", query="Oslo")], [[OSLO]], "", "wrong tool"),
        ([call("oracle", city="Oslo", days="2")], [[OSLO]], "", "tool hallucination"),
        ([], [[OSLO]], "", "no call"),
        ([], [[OSLO], []], "TS PI CF", "correct"),
        ([OSLO], [[]], "", "extra call"),
        # alternatives: the best one counts
        ([ROME], [[OSLO], [ROME]], "TS PI CF", "correct"),
        ([call("weather", city="Bari")], [[OSLO], [ROME], [NOW]], "TS PI", "wrong content"),
        ([call("weather", unit="C")], [[NOW], [OSLO]], "TS", "missing parameter"),
        # parallel calls: no order, each counts
        ([ROME, OSLO], [[OSLO, ROME]], "TS PI CF", "correct"),
        ([OSLO, OSLO], [[OSLO, OSLO]], "TS PI CF", "correct"),
        ([OSLO, OSLO], [[OSLO, ROME]], "TS", "redundant parameter"),
        ([ROME, NOW], [[NOW, OSLO]], "TS", "missing parameter"),
        ([NOW, call("weather", city="Bari")], [[ROME, NOW]], "TS PI", "wrong content"),
        ([OSLO, NOW], [[OSLO, ROME]], "", "wrong tool"),
        ([OSLO], [[OSLO, ROME]], "", "absent call"),
        ([OSLO, ROME, NOW], [[OSLO, ROME]], "", "extra call"),
        ([OSLO, call("oracle")], [[OSLO]], "", "tool hallucination"),
        ([OSLO, ROME], [[OSLO], [OSLO, ROME]], "TS PI CF", "correct"),
    ],
)
def test_turns(made: list[ToolCall], golds: list[list[ToolCall]], expected: str, category: str) -> None:
    score = score_turn(made, golds, TOOLS)
    assert (flags(score), score.category) == (expected, category)


def test_a_turn_that_can_not_be_parsed_is_wrong_as_a_whole() -> None:
    score = score_turn([OSLO], [[OSLO]], TOOLS, unparsed=True)
    assert (flags(score), score.category, score.pairs) == ("", "cannot be parsed", ())


def test_there_has_to_be_a_gold() -> None:
    with pytest.raises(ValueError, match="at least one"):
        score_turn([OSLO], [], TOOLS)


def test_a_call_stands_beside_the_gold_that_it_fits_best() -> None:
    bari = call("weather", city="Bari", days="2")
    assert score_turn([bari, ROME], [[ROME, OSLO]], TOOLS).pairs == ((bari, OSLO), (ROME, ROME))
    assert score_turn([ROME], [[OSLO, ROME]], TOOLS).pairs == ((ROME, ROME), (None, OSLO))
    assert score_turn([], [[NOW]], TOOLS).pairs == ((None, NOW),)


def test_calls_as_text() -> None:
    assert show_calls([OSLO, NOW]) == 'weather(city="Oslo", days="2") now()'
    assert show_calls([]) == "no call"


VALUES = st.sampled_from(["a", "b", 1, 1.5, True, None, [1, "a"], {"k": "v"}])
CALLS = st.builds(
    ToolCall,
    name=st.sampled_from(["weather", "search", "now", "oracle"]),
    arguments=st.dictionaries(st.sampled_from(["city", "days", "query", "colour"]), VALUES, max_size=3),
)
TURNS = st.lists(CALLS, min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(made=st.lists(CALLS, max_size=4), golds=st.lists(TURNS, min_size=1, max_size=3))
def test_what_holds_of_any_turn(made: list[ToolCall], golds: list[list[ToolCall]]) -> None:
    score = score_turn(made, golds, TOOLS)
    assert score.content_filled <= score.parameters_identified <= score.tool_selected
    assert score.category in CATEGORIES
    assert (score.category == "correct") == score.content_filled
    each = [score_turn(made, [one], TOOLS) for one in golds]
    assert score.tool_selected == any(one.tool_selected for one in each)
    assert score.parameters_identified == any(one.parameters_identified for one in each)
    assert score.content_filled == any(one.content_filled for one in each)
    names = sorted(one.name for one in made)
    assert score.tool_selected == any(names == sorted(one.name for one in gold) for gold in golds)


@settings(max_examples=100, deadline=None)
@given(made=TURNS, golds=st.lists(TURNS, min_size=1, max_size=3), seed=st.integers(0, 9))
def test_no_order_matters(made: list[ToolCall], golds: list[list[ToolCall]], seed: int) -> None:
    shuffle = random.Random(seed)
    turned = [
        one.model_copy(
            update={"arguments": dict(shuffle.sample(list(one.arguments.items()), len(one.arguments)))}
        )
        for one in shuffle.sample(made, len(made))
    ]
    others = [shuffle.sample(one, len(one)) for one in shuffle.sample(golds, len(golds))]
    assert flags(score_turn(turned, others, TOOLS)) == flags(score_turn(made, golds, TOOLS))


@settings(max_examples=100, deadline=None)
@given(golds=st.lists(TURNS, min_size=1, max_size=3), seed=st.integers(0, 9))
def test_gold_against_itself_is_right(golds: list[list[ToolCall]], seed: int) -> None:
    made = random.Random(seed).choice(golds)
    assert flags(score_turn(made, golds, TOOLS)) == "TS PI CF"
    assert flags(score_turn(made, golds, TOOLS, rules=rules_for("rotbench_union", ROTBENCH))) == "TS PI CF"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-200, 100), min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_best_assignment_is_the_best_of_all(weights: list[list[int]]) -> None:
    from itertools import permutations

    rows, columns = len(weights), 3
    found = best_pairs(weights)
    assert len(found) == min(rows, columns) == len({i for i, _ in found}) == len({j for _, j in found})
    short, long = (range(rows), range(columns)) if rows <= columns else (range(columns), range(rows))
    best = max(
        sum(weights[i][j] if rows <= columns else weights[j][i] for i, j in zip(short, chosen, strict=True))
        for chosen in permutations(long, len(short))
    )
    assert sum(weights[i][j] for i, j in found) == best


NONE = call("weather", city="Oslo", days="None")
ASK = call("ask_to_user", question="Where do you live?")


@pytest.mark.parametrize(
    ("made", "golds", "fixed", "official"),
    [
        ([OSLO], [[OSLO]], "TS PI CF", "TS PI CF"),
        ([NOW], [[NOW]], "TS PI CF", ""),  # `{}` arguments: the official scorer's slip
        ([call("weather", city="Oslo", days="9")], [[NONE]], "TS PI CF", "TS PI CF"),
        ([call("weather", city="Oslo")], [[NONE]], "TS", "TS"),
        ([call("ask_to_user", question="Your city?")], [[ASK]], "TS PI CF", "TS PI CF"),
        ([call("ask_to_user", query="Your city?")], [[ASK]], "TS", "TS"),
        ([call("hsinif", answer="It rains.")], [[call("hsinif", answer="")]], "TS PI CF", "TS PI CF"),
        ([call("finish", answer="It rains.")], [[call("hsinif", answer="")]], "", "TS PI CF"),
        # "None" stays dropped when the next gold is compared
        ([NONE], [[call("weather", city="Rome", days="None")], [NONE]], "TS PI CF", "TS PI"),
        ([], [[OSLO]], "", ""),
    ],
)
def test_rotbench(made: list[ToolCall], golds: list[list[ToolCall]], fixed: str, official: str) -> None:
    score = score_turn(made, golds, ROTBENCH, rules=rules_for("rotbench_medium", ROTBENCH))
    assert flags(score) == fixed
    theirs = official_score(score, made, golds, ROTBENCH)
    assert flags(theirs) == official
    assert (theirs.category == "correct") == theirs.content_filled


def test_other_kinds_compare_everything() -> None:
    assert rules_for("toolalpaca", ROTBENCH) == CallRules()
    assert flags(score_turn([call("ask_to_user", question="?")], [[ASK]], ROTBENCH)) == "TS PI"
