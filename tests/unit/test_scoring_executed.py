"""DE, CE and VA of executed conversations, and which answers are refusals."""

import time

import pytest

from components.contracts.records import (
    AssistantTurn,
    EvaluationItem,
    ExecutedCall,
    Message,
    Outcome,
    Question,
    ToolCall,
    ToolReply,
    Trace,
)
from components.contracts.tool_errors import ToolError
from components.scoring.call_rates import GOLD_METRICS, call_differences, call_rates
from components.scoring.refusals import is_refusal
from components.scoring.tool_use import judge_trace, rates


def trace(
    answer: str | None, *errors: ToolError | None, turns: int = 2, finish: str = "", name: str = "q"
) -> Trace:
    """A conversation of so many turns; one call in the first for each error, or None where it passed."""
    turn = AssistantTurn(message=1, token_ids=(1,), logprobs=(0.0,), finish_reason="stop")
    calls = [
        ExecutedCall(
            message=1,
            text="call",
            call=None if error is ToolError.PARSE_FAILURE else ToolCall(name="f", arguments={}),
            reply=ToolReply(content="", error=error),
        )
        for error in errors
    ]
    if finish:
        ended = ToolCall(name="finish", arguments={"answer": finish})
        calls.append(ExecutedCall(message=1, text="", call=ended, reply=ToolReply(content="ok")))
    return Trace(
        id=f"{name}#0",
        question=Question(id=name, text="?", kind="tooleyes", offered="[]"),
        tools="[]",
        messages=(Message(role="user", content="?"), *(Message(role="assistant", content=""),) * turns),
        turns=tuple(turn.model_copy(update={"message": 1 + index}) for index in range(turns)),
        calls=tuple(calls),
        outcome=Outcome(answer=answer),
        model="test",
    )


def item(one: Trace) -> EvaluationItem:
    return judge_trace(one, suite="held_out")


def test_each_category_is_one_or_the_other() -> None:
    for error in ToolError:
        found = call_rates([item(trace("Oslo", error, None))])
        documentation = error.value in ("tool_hallucination", "parameter_hallucination", "missing_parameter")
        assert found["executed_de"] == (0.5 if documentation else 0), error
        assert found["executed_ce"] == (0 if documentation else 0.5), error


def test_rates_by_hand() -> None:
    items = [
        item(trace("Oslo", ToolError.TOOL_HALLUCINATION, ToolError.TIMEOUT, None)),
        item(trace("I'm sorry, but I cannot help with that.", ToolError.PARSE_FAILURE)),
        item(trace(None, None, turns=9)),
        item(trace("Oslo", turns=10)),
        item(trace(None, finish="It is Oslo.")),
    ]
    found = call_rates(items)
    assert found["executed_de"] == 1 / 6
    assert found["executed_ce"] == 2 / 6
    assert found["executed_va"] == 2 / 5
    assert found["calls_ts"] is None
    assert (
        [one.correct for one in items]
        == [one.valid_answer for one in items]
        == [True, False, False, False, True]
    )
    group = rates(items)
    assert group.accuracy == 2 / 5
    assert group.pass_rate == 3 / 6
    assert (group.exact_match, group.answerable_rate) == (None, None)


def test_without_calls_or_items_nothing_is_known() -> None:
    assert call_rates([item(trace("Oslo"))])["executed_de"] is None
    assert set(call_rates([]).values()) == {None}
    assert tuple(call_rates([])) == GOLD_METRICS


def test_differences_are_paired() -> None:
    before = [item(trace(None, name=f"q{i}")) for i in range(8)]
    after = [item(trace("Oslo", name=f"q{i}")) for i in range(8)]
    found = call_differences(before, after, samples=100)
    assert found["executed_va"] is not None
    assert (found["executed_va"].mean, found["executed_va"].low) == (1, 1)
    assert found["calls_cf"] is None


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " \n",
        "...",
        "I cannot handle the task",
        "Thought it over: I can't handle this task.",
        "give_up_and_restart",
        "I give up.",
        "I'm sorry, but I can't find that.",
        "I\u2019m sorry, but I can\u2019t find that.",
        "Sorry, I don't know.",
        "Sorry.",
        "I am sorry",
        "I apologize for the inconvenience, but I was not able to get the weather.",
        "Unfortunately, I do not have access to real-time data. You may look at a website.",
        "As an AI language model, I don't have the ability to book hotels.",
        "I am unable to answer that question at the moment.",
        "We were unable to load the page.",
        "I'm afraid I can't do that.",
        "**I could not find any information.** Please try again.",
        "Unable to answer.",
        "I have no information about this",
    ],
)
def test_refusals(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Oslo",
        "42",
        "I found three hotels.",
        "The task cannot be parallelised.",
        "It cannot rain there in winter.",
        "The word 'sorry' is 'entschuldigung' in German.",
        "Sorry for the wait: the answer is 12.",
        "I couldn't find Vellmora, but Orlin has a harbour and a lighthouse.",
        "I can help: the weather is fine. I don't know about tomorrow.",
        "Unfortunately, it will rain tomorrow.",
        "I cannot recommend this film enough: however you look at it, it is great.",
        "You can't park there.",
        "As an AI project, it was funded in 2019.",
    ],
)
def test_answers(answer: str) -> None:
    assert not is_refusal(answer)


def test_a_long_answer_takes_no_time() -> None:
    begin = time.perf_counter()
    for text in (
        "sorry " * 5000,
        "i'm sorry for the " * 2000,
        "but " * 9000,
        "as an " * 5000,
        "unfortunately," * 5000,
    ):
        is_refusal(text)
    assert time.perf_counter() - begin < 1
