"""What the choice of pairs has to know about one trace: which side it can be, or why none."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from components.contracts.records import LabeledTrace, Message, PairKind
from components.contracts.tool_calls import get_call_format
from components.rollout.prompts import offers_tools
from components.scoring.answers import contains_answer

NOT_JUDGED = "outcome unknown: the question has no accepted answer"
NO_TURN = "no turn to train on"
CUT_OFF = "a turn was cut off by the token limit"
FAILED_CALL = "right, but a call failed"
LOST_CALL = "wrong, but the tools service lost a call"
NOT_ANSWERED = "right, but no reply of a tool held the answer"
NOT_OFFERED = "right under the prompt without tools"
READS_AS_CALL = "wrong under the prompt without tools, but reads as a call"


class Role(StrEnum):
    """The one side of a pair that a trace can be; `without` is without a call, failed ones included."""

    RIGHT_WITH = "right with a tool"
    WRONG_WITHOUT = "wrong without a call"
    RIGHT_WITHOUT = "right without a call"
    WRONG_WITH = "wrong with a call"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One trace, small enough that all of them fit in memory.

    line: its index in `traces.jsonl`. role: None when `reason` says why it is no side of any pair.
    direct: whether it is right, for a judged answer without a call under a prompt with tools, else None.
    origin: digest of what the ids of both sides must have in common. prompt, text: digests of the
    messages before the first turn (with the tools), and of those that the pair's kind takes behind it.
    """

    line: int
    trace_id: str
    question_id: str
    sample: int
    role: Role | None
    reason: str
    direct: bool | None
    origin: bytes
    prompt: bytes
    text: bytes


def candidate(
    line: int, trace: LabeledTrace, kind: PairKind, *, require_answerable: bool, reject_cut_off: bool
) -> Candidate:
    """Look at a trace once. require_answerable, reject_cut_off: as in the settings."""
    reason = _reason(trace, require_answerable=require_answerable, reject_cut_off=reject_cut_off)
    first = trace.turns[0].message if trace.turns else len(trace.messages)
    free = offers_tools(trace.prompt) and not trace.calls
    return Candidate(
        line=line,
        trace_id=trace.id,
        question_id=trace.question.id,
        sample=trace.sample,
        role=None if reason else _role(trace),
        reason=reason,
        direct=trace.outcome.correct if free else None,
        origin=_digest(trace.model, trace.template_hash, trace.call_format),
        prompt=_digest(trace.tools, *map(_told, trace.messages[:first])),
        text=_digest(*map(_told, continuation(trace, kind))) if trace.turns else b"",
    )


def continuation(trace: LabeledTrace, kind: PairKind) -> tuple[Message, ...]:
    """The messages from the first assistant turn on: that turn alone (`response`), or up to the last one.

    What follows the last turn, replies that nobody read, is left out.
    """
    last = trace.turns[0 if kind == "response" else -1].message
    return trace.messages[trace.turns[0].message : last + 1]


def _role(trace: LabeledTrace) -> Role:
    if trace.outcome.correct:
        return Role.RIGHT_WITH if trace.calls else Role.RIGHT_WITHOUT
    return Role.WRONG_WITH if trace.calls else Role.WRONG_WITHOUT


def _reason(trace: LabeledTrace, *, require_answerable: bool, reject_cut_off: bool) -> str:
    """Why the trace is no side of any pair; the first that applies, else empty."""
    if trace.outcome.correct is None:
        return NOT_JUDGED
    if not any(turn.token_ids or turn.retokenized for turn in trace.turns):
        return NO_TURN
    # What was wrong may be the limit alone.
    cut_off = any(turn.finish_reason == "length" for turn in trace.turns)
    if cut_off and (trace.outcome.correct or not reject_cut_off):
        return CUT_OFF
    if trace.outcome.correct and trace.calls:
        if any(label.error for label in trace.labels) or any(call.reply.error for call in trace.calls):
            return FAILED_CALL
        if require_answerable and not any(
            contains_answer(call.reply.content, trace.question) for call in trace.calls
        ):
            return NOT_ANSWERED
    if any(call.reply.error and not call.reply.error.is_models_fault for call in trace.calls):
        return LOST_CALL
    if not offers_tools(trace.prompt):
        if trace.outcome.correct:
            return NOT_OFFERED
        # Nobody looked for calls there; behind a prompt with tools it would be one.
        parsed = get_call_format(trace.call_format).parse(trace.messages[trace.turns[0].message].content, ())
        if parsed.calls or parsed.failures:
            return READS_AS_CALL
    return ""


def _told(message: Message) -> str:
    return message.model_dump_json()


def _digest(*texts: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()
