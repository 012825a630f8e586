"""Which traces make pairs, and the one reason of each that does not."""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import LabeledTrace
from components.contracts.tool_errors import ToolError
from components.preferences import candidates, plan
from components.preferences.candidates import Role, candidate
from components.preferences.plan import Plan, plan_pairs
from components.preferences.settings import PreferencesSettings
from tests.judged_traces import FAILED, OK, labeled, right_with, right_without, wrong_with, wrong_without
from tests.traces import make_trace


def planned(traces: Sequence[LabeledTrace], **settings: object) -> Plan:
    parsed = PreferencesSettings.model_validate(settings)
    return plan_pairs(
        (
            candidate(
                line,
                trace,
                parsed.kind,
                require_answerable=parsed.require_answerable,
                reject_cut_off=parsed.reject_cut_off,
            )
            for line, trace in enumerate(traces)
        ),
        parsed,
    )


def ids(found: Plan) -> list[tuple[str, str]]:
    return [(pair.chosen.trace_id, pair.rejected.trace_id) for pair in found.pairs]


def with_reply(trace: LabeledTrace, content: str) -> LabeledTrace:
    (call,) = trace.calls
    reply = call.reply.model_copy(update={"content": content})
    return trace.model_copy(update={"calls": (call.model_copy(update={"reply": reply}),)})


def without_ids(trace: LabeledTrace) -> LabeledTrace:
    turns = (turn.model_copy(update={"token_ids": (), "logprobs": ()}) for turn in trace.turns)
    return trace.model_copy(update={"turns": tuple(turns)})


def saying(trace: LabeledTrace, text: str) -> LabeledTrace:
    *before, last = trace.messages
    return trace.model_copy(update={"messages": (*before, last.model_copy(update={"content": text}))})


def told_by_its_label() -> LabeledTrace:
    """A call whose reply has no code; error labeling read its words."""
    found = right_with()
    marked = found.labels[0].model_copy(update={"error": FAILED})
    return found.model_copy(update={"labels": (marked, *found.labels[1:])})


CALL = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "2+2"}}\n</tool_call>'
LEFT_OUT: list[tuple[Callable[[], LabeledTrace], str]] = [
    (lambda: labeled(make_trace(correct=None)), candidates.NOT_JUDGED),
    (lambda: without_ids(right_with()), candidates.NO_TURN),
    (lambda: labeled(make_trace(errors=(OK,), finish="length")), candidates.CUT_OFF),
    (lambda: labeled(make_trace(correct=False, finish="length")), candidates.CUT_OFF),
    (lambda: labeled(make_trace(errors=(FAILED, OK))), candidates.FAILED_CALL),
    (lambda: labeled(make_trace(errors=(ToolError.PARSE_FAILURE, OK))), candidates.FAILED_CALL),
    (lambda: labeled(make_trace(errors=(ToolError.TOOL_INSTABILITY, OK))), candidates.FAILED_CALL),
    (lambda: labeled(make_trace(errors=(ToolError.TIMEOUT,), correct=False)), candidates.LOST_CALL),
    (told_by_its_label, candidates.FAILED_CALL),
    (lambda: with_reply(right_with(), "nothing here"), candidates.NOT_ANSWERED),
    (lambda: labeled(make_trace(prompt="cot")), candidates.NOT_OFFERED),
    (lambda: saying(wrong_without(prompt="cot"), CALL), candidates.READS_AS_CALL),
    (lambda: saying(wrong_without(prompt="plain"), CALL[:40]), candidates.READS_AS_CALL),
]


@pytest.mark.parametrize("case", range(len(LEFT_OUT)))
def test_a_trace_that_is_no_side_has_its_one_reason(case: int) -> None:
    make, reason = LEFT_OUT[case]
    others = [right_with(sample=8), wrong_without(sample=9)]
    found = planned([make(), *others], require_answerable=True)
    assert ids(found) == [("q0#8", "q0#9")]
    assert found.traces == {reason: 1}


def test_a_reply_without_the_answer_counts_unless_it_must_hold_it() -> None:
    traces = [with_reply(right_with(), "nothing here"), wrong_without(sample=1)]
    assert ids(planned(traces)) == [("q0#0", "q0#1")]
    assert ids(planned(traces, require_answerable=True)) == []


def test_a_wrong_answer_that_was_cut_off_is_rejected_only_where_that_is_asked_for() -> None:
    cut = labeled(make_trace(correct=False, finish="length", sample=1))
    assert ids(planned([right_with(), cut])) == []
    assert ids(planned([right_with(), cut], reject_cut_off=True)) == [("q0#0", "q0#1")]
    right_but_cut = labeled(make_trace(errors=(OK,), finish="length"))
    assert ids(planned([right_but_cut, wrong_without(sample=1)], reject_cut_off=True)) == []


@pytest.mark.parametrize("prompt", ["plain", "cot", "multi_step", "single_step"])
def test_the_wrong_side_may_come_from_either_prompt(prompt: str) -> None:
    rejected = wrong_without(sample=1).model_copy(update={"prompt": prompt})
    assert ids(planned([right_with(), rejected])) == [("q0#0", "q0#1")]


def test_a_trace_of_the_tool_prompt_whose_text_is_no_call_is_not_parsed_again() -> None:
    """The loop has read it, with the tools; prose that looks like code is an answer there."""
    rejected = saying(wrong_without(sample=1), "print(5)").model_copy(update={"call_format": "pythonic"})
    found = planned([right_with().model_copy(update={"call_format": "pythonic"}), rejected])
    assert ids(found) == [("q0#0", "q0#1")]


@pytest.mark.parametrize(
    ("traces", "reason"),
    [
        ([wrong_without()], "no trace is right with a tool"),
        ([right_with()], "no trace is wrong without a call"),
        ([right_without(), wrong_with(sample=1)], "no trace is right with a tool and none is wrong without a call"),
    ],
)  # fmt: skip
def test_a_question_without_a_pair_has_its_reason(traces: list[LabeledTrace], reason: str) -> None:
    found = planned(traces)
    assert (found.pairs, found.questions) == ([], {reason: 1})
    assert sum(found.traces.values()) == found.traces_read == len(traces)


def test_traces_of_equal_text_count_once_and_equal_sides_are_dropped() -> None:
    twins = [right_with(sample=2, text="same"), right_with(sample=1, text="same"), wrong_without(sample=3)]
    found = planned(twins)
    assert ids(found) == [("q0#1", "q0#3")]
    assert found.traces == {plan.DUPLICATE: 1}

    chosen = right_with()
    echo = saying(wrong_without(sample=1, prompt="cot"), chosen.messages[2].content)
    assert ids(planned([chosen, echo])) == [("q0#0", "q0#1")]
    found = planned([chosen, echo], kind="response")
    assert found.pairs == []
    assert found.dropped == {plan.EQUAL_TEXT: 1}
    assert found.questions == {plan.ONLY_DROPPED: 1}
    assert found.traces == {plan.UNMATCHED: 2}


@pytest.mark.parametrize("field", ["model", "template_hash", "call_format"])
def test_ids_of_another_origin_never_meet(field: str) -> None:
    other = wrong_without(sample=1).model_copy(update={field: "paper" if field == "call_format" else "other"})
    found = planned([right_with(), other])
    assert found.pairs == []
    assert found.dropped == {plan.OTHER_ORIGIN: 1}


def test_what_is_known_is_answered_without_a_call() -> None:
    """One direction a question: a known one never teaches to call, an unknown one never not to."""
    traces = [
        right_without("known", 0),
        wrong_without("known", 1),
        right_with("known", 2),
        wrong_with("known", 3),
        right_without("guessed", 0),
        wrong_without("guessed", 1),
        wrong_without("guessed", 2, prompt="multi_step", text="again"),
        right_with("guessed", 3),
        wrong_with("guessed", 4),
    ]
    both = planned(traces, contrast="both")
    assert set(ids(both)) == {
        ("guessed#3", "guessed#1"), ("guessed#3", "guessed#2"), ("known#0", "known#3")
    }  # fmt: skip
    assert both.traces[f"{Role.RIGHT_WITH}: {plan.NOT_WANTED}"] == 1
    tool = planned(traces, contrast="tool")
    assert {pair.chosen.role for pair in tool.pairs} == {Role.RIGHT_WITH}
    strict = planned(traces, contrast="both", min_direct_share=1.0)
    assert ids(strict) == ids(tool)


def test_answers_to_the_prompt_without_tools_say_nothing_about_what_is_known() -> None:
    wrong = [wrong_without("q0", sample, str(sample), "cot") for sample in range(5, 9)]
    traces = [right_without(sample=0), wrong_with(sample=1), *wrong]
    assert ids(planned(traces, contrast="both")) == [("q0#0", "q0#1")]


@pytest.mark.parametrize("limit", [1, 2, 5, 99])
def test_a_questions_traces_are_used_evenly(limit: int) -> None:
    traces = [right_with(sample=sample) for sample in range(3)]
    traces += [wrong_without(sample=sample) for sample in range(3, 7)]
    found = planned(traces, max_pairs_per_question=limit)
    assert len(set(ids(found))) == len(found.pairs) == min(limit, 12)
    for side in zip(*ids(found), strict=True):
        taken = Counter(side)
        assert max(taken.values()) - min(taken.values()) <= 1
    assert found.traces == ({plan.OVER_LIMIT: 7 - found.traces_used} if limit < 4 else {})


MAKERS = [
    right_with,
    right_without,
    wrong_with,
    wrong_without,
    lambda question, sample, text: wrong_without(question, sample, text, "cot"),
    lambda question, sample, text: labeled(make_trace(question, sample, text=text, finish="length")),
    lambda question, sample, text: labeled(make_trace(question, sample, text=text, errors=(FAILED, OK))),
    lambda question, sample, text: labeled(make_trace(question, sample, text=text, correct=None)),
]


@st.composite
def trace_sets(draw: st.DrawFn) -> list[LabeledTrace]:
    return [
        draw(st.sampled_from(MAKERS))(f"q{question}", sample, draw(st.sampled_from(["", "same"])))
        for question in range(draw(st.integers(1, 3)))
        for sample in range(draw(st.integers(1, 7)))
    ]


@given(traces=trace_sets(), both=st.booleans(), limit=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_plan_keeps_its_promises_in_any_order(
    traces: list[LabeledTrace], both: bool, limit: int, seed: int
) -> None:
    settings = {"contrast": "both" if both else "tool", "max_pairs_per_question": limit}
    found = planned(traces, **settings)
    shuffled = list(traces)
    random.Random(seed).shuffle(shuffled)
    again = planned(shuffled, **settings)
    assert ids(again) == ids(found)
    assert (again.traces, again.questions, again.dropped) == (found.traces, found.questions, found.dropped)

    assert found.traces_read == len(traces) == found.traces_used + sum(found.traces.values())
    by_question: dict[str, list[LabeledTrace]] = {}
    for trace in traces:
        by_question.setdefault(trace.question.id, []).append(trace)
    assert found.questions_read == len(by_question) == found.questions_used + sum(found.questions.values())
    for question, own in by_question.items():
        direct = [t.outcome.correct for t in own if t.prompt == "multi_step" and not t.calls]
        judged = [right for right in direct if right is not None]
        known = both and any(judged) and sum(judged) >= len(judged) / 2
        possible = brute_force(own, known=known)
        made = {pair for pair in ids(found) if pair[0].startswith(f"{question}#")}
        assert made <= possible
        assert len(made) == min(limit, len(possible))


def brute_force(traces: Sequence[LabeledTrace], *, known: bool) -> set[tuple[str, str]]:
    """All pairs of one question, written down again: each text of a side once, never equal texts."""

    def usable(trace: LabeledTrace, *, right: bool, called: bool) -> bool:
        return (
            trace.outcome.correct is right
            and bool(trace.calls) is called
            and trace.turns[-1].finish_reason != "length"
            and not (right and any(call.reply.error for call in trace.calls))
        )

    def texts(*, right: bool, called: bool) -> dict[str, str]:
        found: dict[str, str] = {}
        for trace in traces:
            if usable(trace, right=right, called=called):
                text = json.dumps([message.content for message in trace.messages[2:]])
                found.setdefault(text, trace.id)
        return found

    chosen, rejected = texts(right=True, called=not known), texts(right=False, called=known)
    return {
        (one, other)
        for (text, one), (different, other) in product(chosen.items(), rejected.items())
        if text != different
    }
