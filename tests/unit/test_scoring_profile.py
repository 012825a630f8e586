"""Where calls go wrong, counted by hand; which values say nearly the same."""

from typing import Any

import pytest

from components.contracts.records import ToolCall
from components.contracts.tool_schemas import ToolSchema
from components.scoring.calls import CallRules, score_turn
from components.scoring.profile import Profile, nearly_same, profile_calls


def make_tool(name: str, *parameters: str) -> ToolSchema:
    schema = {"type": "object", "properties": {parameter: {} for parameter in parameters}}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": schema}}


TOOLS = [
    make_tool("get_weather", "city", "days", "unit"),
    make_tool("get_news", "query"),
    make_tool("find_town", "name"),
]


def call(name: str, /, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


GOLD = call("get_weather", city="The City of Oslo", days=2)
EVERYTHING = CallRules()


def profile_of(*turns: list[ToolCall] | None, rules: CallRules = EVERYTHING) -> Profile:
    """Each turn against GOLD; None for one that can't be parsed. A token is a word of the name."""
    scored = [
        (score_turn(turn or [], [[GOLD]], TOOLS, unparsed=turn is None, rules=rules), TOOLS, rules)
        for turn in turns
    ]
    return profile_calls(scored, lambda name: name.split("_"))


def test_every_fault_is_counted_with_its_aspect() -> None:
    profile = profile_of(
        [GOLD],
        None,
        [],
        [call("get_news", query="Oslo")],
        [call("find_town", name="Oslo")],
        [call("town_of", name="Oslo")],
        [call("get_weather", city="x")],
        [call("get_weather", city="x", unit="C", colour="red")],
        [call("get_weather", city="oslo", days=2)],
        [call("get_weather", city="city of Oslo", days=3)],
        [GOLD, call("get_news", query="x")],
    )
    assert (profile.turns, profile.wrong_turns, profile.unparsed, profile.no_call) == (11, 10, 1, 1)
    assert (profile.absent, profile.extra) == (0, 1)
    assert profile.wrong == {"tool": 3, "parameters": 2, "content": 2}
    shares = {
        (aspect, fault): profile.share(aspect, fault)
        for aspect, fault in [
            ("tool", "first"),
            ("tool", "prefix"),
            ("parameters", "missing"),
            ("parameters", "redundancy"),
            ("parameters", "hallucination"),
            ("content", "synonyms"),
            ("content", "others"),
        ]
    }
    assert list(shares.values()) == [2 / 3, 1 / 3, 1, 1 / 2, 1 / 2, 1, 1 / 2]
    summary: Any = profile.summary()
    assert summary["tool"] == {
        "calls": 3,
        "first": {"count": 2, "share": 2 / 3},
        "prefix": {"count": 1, "share": 1 / 3},
    }


def test_what_the_rules_do_not_compare_is_no_fault() -> None:
    turn = [call("get_weather", city="city of Oslo", days=3)]
    assert profile_of(turn).faults == {("content", "synonyms"): 1, ("content", "others"): 1}
    free = profile_of(turn, rules=CallRules(free_value="The City of Oslo"))
    assert free.faults == {("content", "others"): 1}
    extra = [*turn, call("get_news", query="x")]
    assert profile_of(extra, rules=CallRules(free_tools=frozenset({"get_weather"}))).wrong == {}


def test_without_wrong_calls_no_share_is_known() -> None:
    profile = profile_of([GOLD])
    assert profile.wrong_turns == 0
    assert profile.share("tool", "first") is None
    assert profile_calls([], list).turns == 0


@pytest.mark.parametrize(
    ("value", "gold", "same"),
    [
        ("oslo", "Oslo", True),
        ("Oslo, Norway", "Oslo", True),
        ("the USA", "U.S.A", False),
        ("New York", "York", True),
        ("Yorkshire", "York", False),
        ("2", 2, True),
        ("2 km", 2, True),
        (2, 3, False),
        ("-5", 5, False),
        ("$1,000", "1000", True),
        ("12 May", "12", True),
        ("", "Oslo", False),
        ("the", "a", False),
        (["a", "b"], ["A", "B"], True),
        (True, "true", True),
        (None, "Oslo", False),
        ({"k": 1}, {"k": 2}, False),
    ],
)
def test_nearly_the_same(value: Any, gold: Any, same: bool) -> None:
    assert nearly_same(value, gold) is same
    assert nearly_same(gold, value) is same
