"""Which traces are trained on: outcome, recipe, duplicates, and the choice among a question's traces.

Works on one small `Candidate` a trace, so that the traces themselves need not fit in memory. Every
trace that is left out gets exactly one reason, the first that applies.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from components.contracts.records import Trace
from components.error_labeling.labels import call_error, offered_tools
from components.error_labeling.settings import ErrorLabelingSettings, Feedback
from components.rollout.prompts import offers_tools
from components.scoring.answers import contains_answer

CONTAMINATED = "holds a question that is judged by"
NOT_JUDGED = "outcome unknown: the question has no accepted answer"
WRONG = "outcome wrong"
CUT_OFF = "last turn cut off by the token limit"
NO_TOOL_PROMPT = "recipe mixture: the prompt offered no tools"
NOT_ANSWERED = "no reply of a tool held the answer"
NO_CALL = "recipe tools: no call came back without an error"
CALLED = "recipe no_tool: the trace has a call"
TOOL_PROMPT = "recipe no_tool: the prompt offered tools, and others did not"
GUESSED = "direct answer is right too seldom"
DUPLICATE = "duplicate of another trace"
MORE_CALLS = "another trace of the question needs fewer calls"
OVER_LIMIT = "over max_traces_per_question"


@dataclass(frozen=True)
class Candidate:
    """What the selection has to know about one trace.

    answerable: a call passed and its reply holds an accepted answer (the paper's AR). text: digest of the
    tools and all messages. calls: attempted, parse failures included. contaminated: left out, whatever else it is.
    """

    trace_id: str
    question_id: str
    sample: int
    correct: bool | None
    calls: int
    passed: int
    answerable: bool
    cut_off: bool
    offered_tools: bool
    text: bytes
    contaminated: bool = False


def candidate(trace: Trace, feedback: Feedback = "typed", *, contaminated: bool = False) -> Candidate:
    """Look at a trace once. feedback: what tells that a call failed."""
    tools = offered_tools(trace, feedback)
    digest = hashlib.blake2b(trace.tools.encode(), digest_size=16)
    for message in trace.messages:
        digest.update(message.model_dump_json().encode())
    return Candidate(
        trace_id=trace.id,
        question_id=trace.question.id,
        sample=trace.sample,
        correct=trace.outcome.correct,
        calls=len(trace.calls),
        passed=sum(call_error(call, tools, feedback) is None for call in trace.calls),
        answerable=any(
            call_error(executed, tools, feedback) is None
            and contains_answer(executed.reply.content, trace.question)
            for executed in trace.calls
        ),
        cut_off=not trace.turns or trace.turns[-1].finish_reason == "length",
        offered_tools=offers_tools(trace.prompt),
        text=digest.digest(),
        contaminated=contaminated,
    )


def select(candidates: Iterable[Candidate], settings: ErrorLabelingSettings) -> dict[str, str]:
    """For each trace id the reason why the trace is not trained; an empty reason means it is.

    The result does not depend on the order of `candidates`: within a question they are taken by
    sample number. Where a run also asked without tools, its answers to that prompt are the recipe
    no_tool (the paper's); where it did not, answers without a call stand in for them.
    """
    by_question: dict[str, list[Candidate]] = defaultdict(list)
    asked_without = False
    for found in candidates:
        by_question[found.question_id].append(found)
        asked_without = asked_without or not found.offered_tools
    reasons: dict[str, str] = {}
    seen: set[bytes] = set()
    for question_id in sorted(by_question):
        traces = sorted(by_question[question_id], key=lambda one: (one.sample, one.trace_id))
        reasons |= _select_of_question(traces, seen, settings, asked_without=asked_without)
    return reasons


def knows_directly(traces: Sequence[Candidate], min_share: float) -> bool:
    """Whether enough of a question's free answers without a call are right to count as knowledge."""
    direct = [one for one in traces if not one.calls and one.correct is not None]
    right = sum(one.correct is True for one in direct)
    return right >= min_share * len(direct) and (right > 0 or min_share == 0)


def _select_of_question(
    traces: Sequence[Candidate],
    seen: set[bytes],
    settings: ErrorLabelingSettings,
    *,
    asked_without: bool,
) -> dict[str, str]:
    # An answer to the prompt without tools says nothing about when the other one should call, nor the reverse.
    knows = {
        offered: knows_directly(
            [one for one in traces if one.offered_tools is offered], settings.min_direct_share
        )
        for offered in (True, False)
    }
    reasons = {
        one.trace_id: _own_reason(one, knows[one.offered_tools], settings, asked_without) for one in traces
    }

    def drop(reason: str, unwanted: Callable[[Candidate], bool]) -> list[Candidate]:
        for one in traces:
            if not reasons[one.trace_id] and unwanted(one):
                reasons[one.trace_id] = reason
        return [one for one in traces if not reasons[one.trace_id]]

    def seen_before(one: Candidate) -> bool:
        known = one.text in seen
        seen.add(one.text)
        return known

    kept = drop(DUPLICATE, seen_before)
    if settings.prefer_fewest_calls and kept:
        fewest = min(one.calls for one in kept)
        kept = drop(MORE_CALLS, lambda one: one.calls > fewest)
    if settings.max_traces_per_question is not None:
        allowed = {one.trace_id for one in kept[: settings.max_traces_per_question]}
        drop(OVER_LIMIT, lambda one: one.trace_id not in allowed)
    return reasons


def _own_reason(one: Candidate, knows: bool, settings: ErrorLabelingSettings, asked_without: bool) -> str:
    if one.contaminated:
        return CONTAMINATED
    if settings.only_correct and not one.correct:
        return NOT_JUDGED if one.correct is None else WRONG
    if one.cut_off:
        return CUT_OFF
    if settings.recipe == "mixture" and not one.offered_tools:
        return NO_TOOL_PROMPT
    if settings.require_answerable and one.calls and not one.answerable:
        return NOT_ANSWERED
    if settings.recipe == "tools" and not one.passed:
        return NO_CALL
    if settings.recipe == "no_tool" and asked_without and one.offered_tools:
        return TOOL_PROMPT
    if settings.recipe == "no_tool" and one.calls:
        return CALLED
    if not one.calls and not knows:
        return GUESSED
    return ""
