"""Reading one assistant turn: what it calls, what it answers, and what the loop replies itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.contracts.records import PromptVariant, ToolCall, ToolReply
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema
from components.rollout import local_replies
from components.rollout.answers import final_answer
from components.rollout.prompts import offers_tools
from components.rollout.storable import is_storable


@dataclass(frozen=True)
class Attempt:
    """One call the turn tried to make. `reply` is None while the tools service has to give it."""

    text: str
    call: ToolCall | None
    reply: ToolReply | None = None


@dataclass(frozen=True)
class Reading:
    """A turn as the loop understands it. `ends`: the conversation is over after it."""

    attempts: tuple[Attempt, ...]
    answer: str | None
    ends: bool


def read_turn(
    text: str,
    tools: Sequence[ToolSchema],
    *,
    call_format: str,
    variant: PromptVariant,
    message: int,
    may_call: bool,
) -> Reading:
    """Parse `text`, an assistant turn whose index in the conversation is `message`.

    Calls that can't be read or don't fit `tools` are answered here with a typed error. A turn with a
    call to execute is not an answer, whatever else it says. With `may_call` false nothing is executed:
    the turn has to answer. The variants without tools have no calls: their text is the answer.
    """
    parsed = get_call_format(call_format).parse(text, tools)
    answer = final_answer(text, parsed.answer, variant)
    if not offers_tools(variant):
        return Reading(attempts=(), answer=answer, ends=True)
    located = [(found.span[0], _attempt(found.call, found.text, tools, may_call)) for found in parsed.calls]
    located += [
        (
            failure.span[0],
            Attempt(failure.text, None, local_replies.unreadable(failure.detail or failure.reason.value)),
        )
        for failure in parsed.failures
    ]
    ordered = [attempt for _, attempt in sorted(located, key=lambda pair: pair[0])]
    attempts = tuple(_numbered(attempt, f"{message}.{index}") for index, attempt in enumerate(ordered))
    if any(attempt.reply is None for attempt in attempts):
        return Reading(attempts, answer=None, ends=False)
    return Reading(attempts, answer, ends=not attempts or answer is not None or not may_call)


def _attempt(call: ToolCall, text: str, tools: Sequence[ToolSchema], may_call: bool) -> Attempt:
    if not is_storable(call):
        return Attempt(text, None, local_replies.unreadable("a value that JSON can't hold"))
    reply = local_replies.refused(call, tools)
    if reply is None and not may_call:
        reply = local_replies.not_allowed_now()
    return Attempt(text, call, reply)


def _numbered(attempt: Attempt, call_id: str) -> Attempt:
    call = attempt.call and attempt.call.model_copy(update={"id": call_id})
    reply = attempt.reply and attempt.reply.model_copy(update={"call_id": call_id})
    return Attempt(attempt.text, call, reply)
