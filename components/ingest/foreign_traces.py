"""Dialogues that others sampled, as traces: text in our call format, without token ids."""

import json
from collections.abc import Sequence

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
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema
from components.ingest.rows import RowError, Said
from components.rollout.prompts import build_messages


def trace_of(
    question: Question, said: Sequence[Said], tools: Sequence[ToolSchema], call_format: str
) -> Trace:
    """The trace of what was said after `question`; every assistant message is a turn.

    Replies go to the calls that they name, or by their order; a single one for several calls goes to each
    of them. Calls that nobody answered have an empty reply.

    Raises:
        RowError: an assistant's message can't be written in `call_format`.
    """
    begin = build_messages(question, tools, "multi_step", call_format, native_tools=False)
    messages = list(begin)
    turns: list[AssistantTurn] = []
    calls: list[ExecutedCall] = []
    answer: str | None = None
    for position, one in enumerate(said):
        index = len(messages)
        if one.role != "assistant":
            messages.append(Message(role=one.role, content=one.text, name=_tool_name(one, said, position)))
            continue
        messages.append(Message(role="assistant", content=assistant_text(one, tools, call_format)))
        turns.append(
            AssistantTurn(message=index, token_ids=(), logprobs=(), finish_reason="stop", retokenized=True)
        )
        calls += _executed(index, messages[-1].content, one, _replies(said, position), tools, call_format)
        answer = None if one.calls else one.text
    return Trace(
        id=f"{question.id}#0",
        question=question,
        tools=question.offered,
        messages=tuple(messages),
        turns=tuple(turns),
        calls=tuple(calls),
        outcome=Outcome(answer=answer),
        model="",
        call_format=call_format,
    )


def assistant_text(said: Said, tools: Sequence[ToolSchema], call_format: str) -> str:
    """An assistant's message in the call format. A thought that reads as a call itself is left out.

    Raises:
        RowError: the format can't write these calls, or reads the answer as a call.
    """
    chosen = get_call_format(call_format)
    if not said.calls:
        text = chosen.render_answer(said.text)
        parsed = chosen.parse(text, tools)
        if parsed.calls or parsed.failures:
            raise RowError("messages", f"an answer that reads as a call in the format {call_format}")
        return text
    for thought in dict.fromkeys((said.text, "")):
        text = chosen.render(said.calls, thought=thought, tools=tools)
        if parses_back(text, said.calls, tools, call_format):
            return text
    raise RowError("messages", f"the calls can't be written in the format {call_format}")


def parses_back(text: str, calls: Sequence[ToolCall], tools: Sequence[ToolSchema], call_format: str) -> bool:
    """Whether `call_format` reads exactly these calls out of the text."""
    parsed = get_call_format(call_format).parse(text, tools)
    read = [(one.call.name, one.call.arguments) for one in parsed.calls]
    return not parsed.failures and json.dumps(read) == json.dumps(
        [(one.name, one.arguments) for one in calls]
    )


def _executed(
    message: int,
    text: str,
    said: Said,
    replies: Sequence[Said],
    tools: Sequence[ToolSchema],
    call_format: str,
) -> list[ExecutedCall]:
    written = [one.text for one in get_call_format(call_format).parse(text, tools).calls]
    found = []
    for number, call in enumerate(said.calls):
        call_id = f"{message}.{number}"
        found.append(
            ExecutedCall(
                message=message,
                text=written[number],
                call=call.model_copy(update={"id": call_id}),
                reply=ToolReply(content=_reply(call, number, said, replies), call_id=call_id),
            )
        )
    return found


def _replies(said: Sequence[Said], position: int) -> list[Said]:
    """The tools' messages right behind the assistant's."""
    found = []
    for one in said[position + 1 :]:
        if one.role != "tool":
            break
        found.append(one)
    return found


def _reply(call: ToolCall, number: int, said: Said, replies: Sequence[Said]) -> str:
    named = [one.text for one in replies if call.id and one.call_id == call.id]
    if named:
        return named[0]
    if len(replies) == 1 and not replies[0].call_id:
        return replies[0].text
    return replies[number].text if number < len(replies) and not replies[number].call_id else ""


def _tool_name(one: Said, said: Sequence[Said], position: int) -> str:
    """The tool that replies: as the message says, or the call in its place."""
    if one.role != "tool" or one.name:
        return one.name if one.role == "tool" else ""
    start = position
    while start > 0 and said[start].role == "tool":
        start -= 1
    calls, number = said[start].calls, position - start - 1
    named = [call.name for call in calls if one.call_id and call.id == one.call_id]
    return named[0] if named else calls[number].name if 0 <= number < len(calls) else ""
