"""Rates of hand-counted traces, verdicts on calls, and pairing."""

import pytest

from components.contracts.errors import InputError
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
from components.scoring.pairing import pair_by_id
from components.scoring.tool_use import (
    METRICS,
    Counts,
    count_errors,
    counts_of,
    counts_of_tool,
    differences,
    judge_trace,
    rates,
    rates_of_counts,
)
from components.scoring.verdicts import ERROR_CATEGORY, VERDICT_CATEGORY, CallVerdict, judge_call


def make_trace(
    name: str,
    answer: str | None,
    *calls: tuple[int, str | None, str, ToolError | None],
    kind: str = "arithmetic",
) -> Trace:
    """calls: (turn, tool or None for a parse failure, reply, error)."""
    turns = 1 + max((turn for turn, *_ in calls), default=0)
    return Trace(
        id=f"trace-{name}",
        question=Question(id=name, text="How many?", answers=("42",), answer_type="number", kind=kind),
        tools="[]",
        messages=(
            Message(role="user", content="How many?"),
            *(Message(role="assistant", content="...") for _ in range(turns)),
        ),
        turns=tuple(
            AssistantTurn(
                message=1 + turn,
                token_ids=(1, 2, 3),
                logprobs=(0.0, -1.0, -1.0),
                finish_reason="stop",
                prefilled=1,
            )
            for turn in range(turns)
        ),
        calls=tuple(
            ExecutedCall(
                message=1 + turn,
                text="call",
                call=ToolCall(name=tool, arguments={}) if tool else None,
                reply=ToolReply(content=reply, error=error),
            )
            for turn, tool, reply, error in calls
        ),
        outcome=Outcome(answer=answer),
        model="test",
    )


@pytest.fixture
def traces() -> list[Trace]:
    return [
        make_trace("a", "It is 42.", (0, "calculator", "42", None), (0, "calculator", "7", None)),
        make_trace(
            "b",
            "42",
            (0, None, "Error: 42", ToolError.PARSE_FAILURE),
            (1, "search", "there are 42 of them", None),
        ),
        make_trace("c", "41", (1, "calculator", "Error", ToolError.TOOL_CALL_FAILURE)),
        make_trace("d", None),
    ]


def items_of(traces: list[Trace]) -> list[EvaluationItem]:
    return [judge_trace(trace, suite="held_out") for trace in traces]


def test_an_item_counts_what_the_trace_did(traces: list[Trace]) -> None:
    item = judge_trace(traces[1], suite="held_out", seconds=1.5)
    assert (item.calls, item.first_turn_calls, item.passed_calls, item.answerable_calls) == (2, 1, 1, 1)
    assert item.tools_called == ("search",)
    assert item.errors == (ToolError.PARSE_FAILURE,)
    assert item.tokens == 4  # two turns of three tokens, one of each prefilled
    assert item.seconds == 1.5
    assert item.correct
    assert item.exact_match


def test_rates_by_hand(traces: list[Trace]) -> None:
    found = rates(items_of(traces))
    assert found.questions == 4
    assert found.accuracy == 2 / 4
    assert found.exact_match == 1 / 4
    assert found.invoke_rate == 3 / 4  # two calls in a's first turn, one in b's
    assert found.called_share == 3 / 4
    assert found.pass_rate == 3 / 5
    assert found.answerable_rate == 2 / 5
    assert found.errors["parse_failure"] == 1
    assert found.errors["tool_call_failure"] == 1
    assert sum(found.errors.values()) == 2


def test_the_invoke_rate_can_pass_one() -> None:
    calls = [(0, "calculator", "42", None)] * 3
    assert rates(items_of([make_trace("a", "42", *calls)])).invoke_rate == 3


def test_rates_without_calls_or_items_are_unknown() -> None:
    silent = rates(items_of([make_trace("d", "42")]))
    assert (silent.accuracy, silent.invoke_rate) == (1, 0)
    assert silent.pass_rate is None
    assert silent.answerable_rate is None
    assert rates([]).accuracy is None


def test_a_failed_reply_that_holds_the_gold_is_not_answerable() -> None:
    trace = make_trace("a", "42", (0, "calculator", "Error: 42", ToolError.TIMEOUT))
    assert judge_trace(trace, suite="s").answerable_calls == 0


def test_one_tools_counts(traces: list[Trace]) -> None:
    found = rates_of_counts([counts_of_tool(trace, "calculator") for trace in traces])
    assert found.questions == 4
    assert found.accuracy == 1 / 2  # called for a (right) and c (wrong)
    assert found.invoke_rate == 2 / 4
    assert found.called_share == 2 / 4
    assert found.pass_rate == 2 / 3
    assert found.answerable_rate == 1 / 3


def test_the_error_mix_is_total(traces: list[Trace]) -> None:
    assert set(count_errors(items_of(traces))) == set(ToolError)
    assert set(count_errors([])) == set(ToolError)


def test_differences_of_all_metrics(traces: list[Trace]) -> None:
    before = [counts_of(item) for item in items_of([make_trace(t.question.id, "1") for t in traces])]
    after = [counts_of(item) for item in items_of(traces)]
    found = differences(before, after, samples=200)
    assert tuple(found) == METRICS
    assert found["accuracy"] is not None
    assert found["accuracy"].mean == 0.5
    assert found["pass_rate"] is None  # no call was made before
    assert (
        differences([Counts(0, 0, 0, 0, 0, 0, 0)], [Counts(1, 1, 1, 1, 1, 1, 1)], samples=10)["accuracy"]
        is None
    )


def test_items_are_paired_by_id_not_by_position(traces: list[Trace]) -> None:
    items = items_of(traces)
    assert pair_by_id(items, items[::-1]) == [(item, item) for item in items]


def test_items_that_can_not_be_paired_are_refused(traces: list[Trace]) -> None:
    items = items_of(traces)
    with pytest.raises(InputError, match=r"1 only before, 0 only after, such as 'd'"):
        pair_by_id(items, items[:3])
    with pytest.raises(InputError, match="after: question 'a' occurs 2 times"):
        pair_by_id(items, [*items, items[0]])
    assert pair_by_id([], []) == []


def call(name: str = "f", **arguments: object) -> ToolCall:
    return ToolCall.model_validate({"name": name, "arguments": arguments})


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (call(a=1, b="x"), CallVerdict.CORRECT),
        (call(a=1.0, b="x"), CallVerdict.CORRECT),
        (call("g", a=1, b="x"), CallVerdict.WRONG_TOOL),
        (call(a=1), CallVerdict.MISSING_PARAMETER),
        (call(a=1, c=1), CallVerdict.MISSING_PARAMETER),
        (call(a=1, b="x", c=1), CallVerdict.REDUNDANT_PARAMETER),
        (call(a=9, b="x"), CallVerdict.WRONG_CONTENT),
        (call(a="1", b="x"), CallVerdict.WRONG_CONTENT),
        (call(a=True, b="x"), CallVerdict.WRONG_CONTENT),
    ],
)
def test_verdicts(made: ToolCall, verdict: CallVerdict) -> None:
    assert judge_call(made, call(a=1, b="x")) is verdict


def test_verdicts_look_inside_lists_and_objects() -> None:
    gold = call(a=[1, {"b": True}])
    assert judge_call(call(a=[1.0, {"b": True}]), gold) is CallVerdict.CORRECT
    assert judge_call(call(a=[1, {"b": 1}]), gold) is CallVerdict.WRONG_CONTENT
    assert judge_call(call(a=[1]), gold) is CallVerdict.WRONG_CONTENT


def test_the_mappings_are_total() -> None:
    assert set(ERROR_CATEGORY) == set(ToolError)
    assert set(VERDICT_CATEGORY) == set(CallVerdict)
