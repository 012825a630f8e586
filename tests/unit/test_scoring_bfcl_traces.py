"""Traces of BFCL's questions are judged by that benchmark's rules, not by comparison with one gold."""

import json

import pytest

from components.contracts.records import (
    AssistantTurn,
    ExecutedCall,
    Message,
    Outcome,
    Question,
    ToolCall,
    ToolReply,
    Trace,
)
from components.contracts.tool_errors import ToolError
from components.scoring.bfcl.reference import BfclReference
from components.scoring.calls import CORRECT, EXTRA_CALL, MISSING_PARAMETER, NO_CALL, UNPARSED, WRONG_CONTENT
from components.scoring.judgement import score_trace
from components.scoring.tool_use import counts_of, judge_trace

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOLS = json.dumps([{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}])
FUNCTION = {"name": "weather", "parameters": {**PARAMETERS, "required": ["city"]}}
ANSWER = {"weather": {"city": ["New York, NY", "NYC"], "days": [1, ""]}}
GOLD = ToolCall(name="weather", arguments={"city": "New York, NY", "days": 1})


def trace(group: str, *calls: ToolCall | None, golds: tuple[tuple[ToolCall, ...], ...] = ((GOLD,),)) -> Trace:
    """One turn with these calls; None is one that can't be parsed."""
    answers = (ANSWER,) if golds else ()
    reference = BfclReference(group=group, possible_answers=answers, functions=(FUNCTION,))
    made = tuple(
        ExecutedCall(
            message=1,
            text="",
            call=call,
            reply=ToolReply(content="", error=None if call else ToolError.PARSE_FAILURE),
        )
        for call in calls
    )
    return Trace(
        id="t",
        question=Question(
            id="q", text="?", offered=TOOLS, golds=golds, suite=f"bfcl:{group}", reference=reference.to_json()
        ),
        tools=TOOLS,
        messages=(Message(role="user", content="?"), Message(role="assistant", content="...")),
        turns=(AssistantTurn(message=1, token_ids=(1,), logprobs=(0.0,), finish_reason="stop"),),
        calls=made,
        outcome=Outcome(answer=None if made else "Sunny."),
        model="m",
    )


def weather(**arguments: str | int) -> ToolCall:
    return ToolCall(name="weather", arguments=dict(arguments))


@pytest.mark.parametrize(
    ("calls", "category", "flags"),
    [
        ([GOLD], CORRECT, (True, True, True)),
        (
            [weather(city="nyc")],
            CORRECT,
            (True, True, True),
        ),  # another accepted value, without the optional one
        ([weather(city="new york ny", days=1)], CORRECT, (True, True, True)),
        ([weather(city="Boston")], WRONG_CONTENT, (True, True, False)),
        ([weather(days=1)], MISSING_PARAMETER, (True, False, False)),
        ([], NO_CALL, (False, False, False)),
        ([GOLD, GOLD], EXTRA_CALL, (False, False, False)),
        ([GOLD, None], UNPARSED, (False, False, False)),
    ],
)
def test_a_turn_is_judged_by_the_allowed_values(
    calls: list[ToolCall | None], category: str, flags: tuple[bool, bool, bool]
) -> None:
    item = judge_trace(trace("simple_python", *calls), suite="bfcl:simple_python")
    assert (item.tool_selected, item.parameters_identified, item.content_filled) == flags
    assert (item.category, item.correct, item.unparsed) == (category, category == CORRECT, None in calls)
    assert item.accepted == ((GOLD,),)
    assert counts_of(item).executed == 0


@pytest.mark.parametrize(
    ("group", "calls", "correct"),
    [
        ("irrelevance", [], True),
        ("irrelevance", [GOLD], False),
        ("live_irrelevance", [None], False),  # garbage is no refusal
        ("live_relevance", [GOLD], True),
        ("live_relevance", [], False),
        ("live_relevance", [None], False),
    ],
)
def test_groups_without_golds_are_judged_by_whether_something_is_called(
    group: str, calls: list[ToolCall | None], correct: bool
) -> None:
    given = trace(group, *calls, golds=())
    item = judge_trace(given, suite=f"bfcl:{group}")
    assert item.correct is correct
    assert item.content_filled is correct
    assert item.valid_answer is None
    assert counts_of(item).executed == 0
    assert score_trace(given).pairs == ()


def test_pairs_for_the_profile_are_those_with_the_golds() -> None:
    score = score_trace(trace("simple_python", weather(city="Boston")))
    assert [(made and made.name, gold and gold.name) for made, gold in score.pairs] == [
        ("weather", "weather")
    ]


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("None of these tools books flights.", CORRECT),
        ('{"name": "weather", "arguments": {"city": "Oslo"}}', UNPARSED),
        ("", UNPARSED),
    ],
)
def test_garbage_is_never_restraint(said: str, category: str) -> None:
    silent = trace("irrelevance", golds=())
    messages = (silent.messages[0], Message(role="assistant", content=said))
    score = score_trace(silent.model_copy(update={"messages": messages}))
    assert (score.category, score.content_filled) == (category, category == CORRECT)
    item = judge_trace(silent.model_copy(update={"messages": messages}), suite="")
    assert (item.correct, item.unparsed) == (category == CORRECT, category == UNPARSED)
