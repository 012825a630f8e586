"""Rates of answers and tool use (self-training paper, Section 4), made from counts per question.

- accuracy, exact_match: right answers / questions.
- invoke_rate: calls in the first assistant turn / questions; more than one call can pass 1.
- called_share: questions with at least one call in any turn / questions.
- pass_rate: calls whose reply has no error / calls.
- answerable_rate: passed calls whose reply holds an accepted answer / calls.

The last two are unknown (None) where no call was made. Questions that are judged by golds or by a valid
answer have no accepted answers: exact match and answerable rate leave them out; and since nothing is
executed for golds, the pass rate leaves those out (see `components.scoring.calls`, `.executed`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.contracts.records import EvaluationItem, ExecutedCall, Trace
from components.contracts.tool_errors import ToolError
from components.scoring.answers import contains_answer, is_correct, is_exact
from components.scoring.bfcl.reference import is_bfcl
from components.scoring.bootstrap import Interval, ratio_bootstrap
from components.scoring.calls import show_calls
from components.scoring.executed import is_valid_answer
from components.scoring.judgement import first_turn, is_single_turn, score_trace

METRICS = ("accuracy", "exact_match", "invoke_rate", "called_share", "pass_rate", "answerable_rate")


class Counts(NamedTuple):
    """What one question adds to the rates. `judged` is 1, or 0 where its answer is not to count.

    answers: 1 where there are accepted answers to compare with. executed: 1 where calls are executed.
    """

    judged: int
    correct: int
    exact: int
    first_turn_calls: int
    calls: int
    passed: int
    answerable: int
    answers: int = 1
    executed: int = 1


@dataclass(frozen=True)
class Rates:
    """The rates of a group of questions, each in [0, 1] but invoke_rate; None where undefined."""

    questions: int
    accuracy: float | None
    exact_match: float | None
    invoke_rate: float | None
    called_share: float | None
    pass_rate: float | None
    answerable_rate: float | None
    errors: dict[str, int]


def judge_trace(trace: Trace, *, suite: str, seconds: float = 0.0, official: bool = False) -> EvaluationItem:
    """The judged item of a trace: by its calls where the question has golds, else by its final answer.

    BFCL's single-turn questions are judged by that benchmark's rules, its multi-turn ones by whoever played them
    (`outcome.correct` and its category). A question with neither golds nor accepted answers is right when its answer is valid
    (`executed`).
    seconds: what the item took, as the caller measured it. `tools_called` has one name a parsed call.
    official: RoTBench's questions are scored as by its own scorer.
    """
    counts = count_calls(trace, trace.calls)
    item = EvaluationItem(
        id=trace.question.id,
        suite=suite,
        kind=trace.question.kind,
        question=trace.question.text,
        gold=trace.question.answers,
        answer=trace.outcome.answer,
        correct=bool(counts.correct),
        exact_match=bool(counts.exact),
        calls=counts.calls,
        first_turn_calls=counts.first_turn_calls,
        passed_calls=counts.passed,
        answerable_calls=counts.answerable,
        tools_called=tuple(executed.call.name for executed in trace.calls if executed.call is not None),
        errors=tuple(executed.reply.error for executed in trace.calls if executed.reply.error is not None),
        seconds=seconds,
        tokens=sum(len(turn.token_ids) - turn.prefilled for turn in trace.turns),
        trace_id=trace.id,
    )
    if is_single_turn(trace.question):
        return _judged_by_calls(item, trace, official=official)
    if is_bfcl(trace.question.suite):
        return item.model_copy(update={"category": trace.outcome.category})
    return item.model_copy(update={"valid_answer": is_valid_answer(trace)})


def count_calls(trace: Trace, calls: Sequence[ExecutedCall], *, judged: bool = True) -> Counts:
    """The counts of a trace when only `calls` are looked at."""
    question, answer = trace.question, trace.outcome.answer
    first = trace.turns[0].message if trace.turns else -1
    passed = [executed.reply.content for executed in calls if executed.reply.error is None]
    return Counts(
        judged=int(judged),
        correct=int(judged and _is_right(trace)),
        exact=int(judged and is_exact(answer, question)),
        first_turn_calls=sum(executed.message == first for executed in calls),
        calls=len(calls),
        passed=len(passed),
        answerable=sum(contains_answer(content, question) for content in passed),
        answers=int(bool(question.answers) and not is_single_turn(question)),
        executed=int(not is_single_turn(question)),
    )


def counts_of(item: EvaluationItem) -> Counts:
    """The counts of a judged item."""
    return Counts(
        judged=1,
        correct=int(item.correct),
        exact=int(item.exact_match),
        first_turn_calls=item.first_turn_calls,
        calls=item.calls,
        passed=item.passed_calls,
        answerable=item.answerable_calls,
        answers=int(bool(item.gold) and item.tool_selected is None),
        executed=int(item.tool_selected is None),
    )


def counts_of_tool(trace: Trace, tool: str) -> Counts:
    """The counts of one tool's calls; the answer counts only where that tool was called."""
    calls = [executed for executed in trace.calls if executed.call is not None and executed.call.name == tool]
    return count_calls(trace, calls, judged=bool(calls))


def rates(items: Iterable[EvaluationItem]) -> Rates:
    """The rates of a group of judged items; everything is None without an item."""
    kept = list(items)
    errors = {error.value: count for error, count in count_errors(kept).items()}
    return rates_of_counts([counts_of(item) for item in kept], errors=errors)


def rates_of_counts(counts: Sequence[Counts], *, errors: dict[str, int] | None = None) -> Rates:
    """The rates of a group of counted questions."""
    sums, totals = (table.sum(axis=0) for table in rate_table(counts))
    accuracy, exact, invoked, called, passed, answerable = (
        float(part / whole) if whole else None for part, whole in zip(sums, totals, strict=True)
    )
    return Rates(len(counts), accuracy, exact, invoked, called, passed, answerable, errors or {})


def count_errors(items: Iterable[EvaluationItem]) -> dict[ToolError, int]:
    """How often each category occurred; every category of the taxonomy is a key."""
    found = Counter(error for item in items for error in item.errors)
    return {error: found[error] for error in ToolError}


def rate_table(counts: Sequence[Counts]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numerators and denominators of METRICS a question: two (questions, metrics) arrays."""
    empty = np.zeros((0, len(METRICS)))
    parts = [
        (
            c.correct,
            c.exact * c.answers,
            c.first_turn_calls,
            int(c.calls > 0),
            c.passed * c.executed,
            c.answerable * c.answers,
        )
        for c in counts
    ]
    wholes = [
        (c.judged, c.judged * c.answers, 1, 1, c.calls * c.executed, c.calls * c.answers) for c in counts
    ]
    return (
        np.array(parts, dtype=np.float64) if parts else empty,
        np.array(wholes, dtype=np.float64) if wholes else empty,
    )


def differences(
    before: Sequence[Counts],
    after: Sequence[Counts],
    *,
    samples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Interval | None]:
    """The interval of after - before for each of METRICS, by paired bootstrap over the questions.

    before, after: the same questions in the same order (see `pair_by_id`). None where a rate is
    undefined on either side.

    Raises:
        ValueError: no question, or the lengths differ.
    """
    tables = (*rate_table(before), *rate_table(after))
    intervals = ratio_bootstrap(*tables, samples=samples, seed=seed, confidence=confidence)
    return dict(zip(METRICS, intervals, strict=True))


def _is_right(trace: Trace) -> bool:
    if is_single_turn(trace.question):
        return score_trace(trace).content_filled
    if is_bfcl(trace.question.suite):
        return bool(trace.outcome.correct)
    if trace.question.answers:
        return is_correct(trace.outcome.answer, trace.question)
    return is_valid_answer(trace)


def _judged_by_calls(item: EvaluationItem, trace: Trace, *, official: bool) -> EvaluationItem:
    score = score_trace(trace, official=official)
    calls, unparsed = first_turn(trace)
    return item.model_copy(
        update={
            "gold": tuple(map(show_calls, trace.question.golds)),
            "correct": score.content_filled,
            "exact_match": score.content_filled,
            "tool_selected": score.tool_selected,
            "parameters_identified": score.parameters_identified,
            "content_filled": score.content_filled,
            "unparsed": unparsed,
            "category": score.category,
            "predicted": calls,
            "accepted": trace.question.golds,
        }
    )
