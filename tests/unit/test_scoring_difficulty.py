"""Difficulty: what a request demands, and the equal thirds by averaged ranks."""

import json
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import EvaluationItem, ExecutedCall, ToolReply, TurnLabel
from components.contracts.tool_schemas import parse_tools
from components.scoring.difficulty import THIRDS, Demand, demand_of_question, demand_of_trace, divide
from components.scoring.groups import group_items, group_kinds, group_label
from tests.ablation_samples import judged_by_gold
from tests.gold_questions import OFFERED, call, gold
from tests.judged_traces import right_with

LISTS = st.lists(st.builds(Demand, st.integers(0, 4), st.integers(0, 40), st.integers(0, 3)), max_size=30)


def by_hand(demands: list[Demand]) -> list[str]:
    """The mean of the three mean places, each counted out, in fractions; then thirds of the order."""

    def mean_place(value: int, values: list[int]) -> Fraction:
        below, equal = sum(other < value for other in values), values.count(value)
        return Fraction(sum(range(below, below + equal)), equal)

    columns = list(zip(*demands, strict=True))
    means = [
        sum(mean_place(value, list(column)) for value, column in zip(one, columns, strict=True)) / 3
        for one in demands
    ]
    order = sorted(range(len(demands)), key=lambda number: (means[number], number))
    found = [""] * len(demands)
    for place, number in enumerate(order):
        found[number] = THIRDS[place * 3 // len(order)]
    return found


@given(LISTS)
def test_thirds_are_those_of_averaged_ranks(demands: list[Demand]) -> None:
    found = divide(demands)
    assert found == by_hand(demands)
    sizes = [found.count(third) for third in THIRDS]
    assert sum(sizes) == len(demands)
    assert sizes[0] >= sizes[1] >= sizes[2] >= sizes[0] - 1


def test_ranks_count_and_not_amounts() -> None:
    """A tool list of a million characters is one place harder than the next, as few calls may outweigh it."""
    demands = [Demand(1, 10**6, 1), Demand(2, 20, 2), Demand(3, 30, 3)]
    assert divide(demands) == ["easy", "medium", "hard"]


def test_a_criterion_that_is_the_same_everywhere_decides_nothing_and_ties_are_stable() -> None:
    calls = [3, 1, 2, 1, 2, 3]
    assert divide([Demand(5, 100, one) for one in calls]) == [
        *("hard", "easy", "medium"),
        *("easy", "medium", "hard"),
    ]
    assert divide([Demand()] * 5) == ["easy", "easy", "medium", "medium", "hard"]
    assert divide([]) == []


def test_of_a_question_the_shortest_accepted_turn_is_needed() -> None:
    question = gold("q", call("now")).model_copy(
        update={"golds": ((call("now"),) * 3, (call("now"), call("weather", city="Oslo")))}
    )
    tools = parse_tools(OFFERED)
    demand = demand_of_question(question, tools)
    compact = json.dumps(json.loads(OFFERED), separators=(",", ":"))
    assert demand == Demand(3, len(compact), 2)
    assert demand_of_question(question, ()) == Demand(0, 0, 2)
    spaced = parse_tools(json.dumps(json.loads(OFFERED), indent=4))
    assert demand_of_question(question, spaced) == demand


def test_of_a_trace_the_calls_of_trained_turns_count() -> None:
    sampled = right_with()
    made = tuple(
        ExecutedCall(message=message, text="", call=None, reply=ToolReply(content=""))
        for message in (2, 2, 4)
    )
    labels = tuple(TurnLabel(message=message, trained=message == 2) for message in (2, 4))
    changed = sampled.model_copy(update={"calls": made, "labels": labels, "tools": OFFERED})
    assert demand_of_trace(changed) == demand_of_question(
        gold("q", call("now")).model_copy(update={"golds": ((call("now"),) * 2,)}), parse_tools(OFFERED)
    )
    assert demand_of_trace(changed.model_copy(update={"tools": ""})) == Demand(0, 0, 2)


def test_groups_by_difficulty_come_last_and_hold_no_other_question() -> None:
    def item(identifier: str, **values: object) -> EvaluationItem:
        return judged_by_gold(identifier, True).model_copy(update=values)

    items = [
        item("a", kind="x", difficulty="hard"),
        item("b", kind="y"),
        item("c", kind="x", difficulty="easy"),
        item("d", kind="y", difficulty="hard"),
    ]
    assert group_items(items, ["y"]) == {
        "overall": [0, 1, 2, 3],
        "needs_tool": [0, 2],
        "no_tool": [1, 3],
        "x": [0, 2],
        "y": [1, 3],
        "difficulty_easy": [2],
        "difficulty_hard": [0, 3],
    }
    assert group_label("difficulty_hard") == "hard"
    hiding = [one.model_copy(update={"kind": "difficulty_hard"}) for one in items]
    assert group_items(hiding, ())["difficulty_hard"] == [0, 1, 2, 3]


def test_irrelevance_needs_no_tool_whatever_the_settings_say() -> None:
    found = group_kinds(
        ("bfcl_irrelevance", "bfcl_live_irrelevance", "bfcl_live_relevance", "chat"), ["chat"]
    )
    assert found["needs_tool"] == {"bfcl_live_relevance"}
    assert found["no_tool"] == {"bfcl_irrelevance", "bfcl_live_irrelevance", "chat"}
