"""Between a server's structured `tool_calls` and turns of text in our call format.

A server that is told of tools answers with calls beside the text. They are written into the turn as the
call format writes them, so that a trace looks the same whoever sampled it; on the way back, earlier turns
are read by the same format and sent as calls, each with the replies it got.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from components.contracts.errors import InputError
from components.contracts.records import Message, ToolCall
from components.contracts.tool_calls import CallFormat
from components.contracts.tool_schemas import ToolSchema


def turn_text(message: Mapping[str, Any], call_format: CallFormat, tools: Sequence[ToolSchema]) -> str:
    """The assistant's message as one text. Arguments that are no JSON object stay as they are: unreadable.

    Raises:
        InputError: the server's calls have no names.
    """
    said = str(message.get("content") or "")
    made = message.get("tool_calls")
    if not made:
        return said
    if not isinstance(made, list):
        raise InputError("engine: the reply's tool_calls are no list; expected OpenAI's chat completions")
    calls: list[ToolCall] = []
    broken = ""
    for one in made:
        name, arguments = _function(one)
        call = _call(name, arguments)
        if call is None:
            broken = broken or call_format.prefill(_named(name)) + str(arguments)
        else:
            calls.append(call)
    text = _written(calls, said.strip(), call_format, tools) if calls else said
    return "\n".join(part for part in (text, broken) if part)


def _written(
    calls: Sequence[ToolCall], thought: str, call_format: CallFormat, tools: Sequence[ToolSchema]
) -> str:
    """The calls behind the thought; without it where the format would not read them back."""
    text = ""
    for said in dict.fromkeys((thought, "")):
        text = call_format.render(calls, thought=said, tools=tools)
        parsed = call_format.parse(text, tools)
        read = [one.call for one in parsed.calls]
        # Without schemas a format may not know its arguments' names.
        same = [_plain(one, tools) for one in read] == [_plain(one, tools) for one in calls]
        if same and not parsed.failures:
            break
    return text


def _plain(call: ToolCall, tools: Sequence[ToolSchema]) -> tuple[str, object]:
    return call.name, call.arguments if tools else None


def shortest_action(text: str, call_format: CallFormat) -> int | None:
    """Where the first complete action in `text` ends; None where there is none (or no format that stops)."""
    if not call_format.stop_after(text):
        return None
    return next(end for end in range(1, len(text) + 1) if call_format.stop_after(text[:end]))


def plain_messages(
    messages: Sequence[Message], *, system_role: bool = True, tool_role: bool = False
) -> list[dict[str, Any]]:
    """The conversation as text alone, for a server whose chat template has the named roles.

    Without the role, a system message goes in front of the next one, and replies in a row are one message of the
    user, as `Chat.encode` has it.
    """
    found: list[dict[str, Any]] = []
    held, after_reply = "", False
    for message in messages:
        if message.role == "system" and not system_role:
            held += message.content + "\n\n"
            continue
        as_user = message.role == "tool" and not tool_role
        if as_user and after_reply:
            found[-1]["content"] += "\n" + message.content
            continue
        after_reply = as_user
        role = "user" if as_user else message.role
        content = message.content
        if role == "user":
            content, held = held + content, ""
        entry = {"role": role, "content": content}
        found.append(entry | ({"name": message.name} if role == "tool" and message.name else {}))
    if held:
        found.append({"role": "user", "content": held[:-2]})
    return found


def server_messages(
    messages: Sequence[Message], call_format: CallFormat, tools: Sequence[ToolSchema]
) -> list[dict[str, Any]]:
    """The conversation in OpenAI's form: calls as `tool_calls`, replies as messages of role tool.

    A reply to something that could not be read as a call goes out as the user's.
    """
    found: list[dict[str, Any]] = []
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message.role == "tool" and waiting:
            found.append({"role": "tool", "tool_call_id": waiting.pop(0), "content": message.content})
            continue
        waiting = []
        if message.role != "assistant":
            role = "user" if message.role == "tool" else message.role
            found.append({"role": role, "content": message.content})
            continue
        parsed = call_format.parse(message.content, tools)
        if not parsed.calls or parsed.failures:
            found.append({"role": "assistant", "content": message.content})
            continue
        waiting = [f"call_{index}_{number}" for number in range(len(parsed.calls))]
        calls = [
            {
                "id": call_id,
                "type": "function",
                "function": {
                    "name": one.call.name,
                    "arguments": json.dumps(one.call.arguments, ensure_ascii=False),
                },
            }
            for call_id, one in zip(waiting, parsed.calls, strict=True)
        ]
        found.append({"role": "assistant", "content": parsed.thought or None, "tool_calls": calls})
    return found


def _function(made: object) -> tuple[str, object]:
    function = made.get("function") if isinstance(made, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
        raise InputError("engine: a tool call of the reply has no name; expected OpenAI's chat completions")
    return name, function.get("arguments")


def _call(name: str, arguments: object) -> ToolCall | None:
    """The call, or None when its arguments are no JSON object."""
    try:
        value = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
        call = ToolCall(name=name, arguments={} if value is None else value)  # type: ignore[arg-type]
        json.dumps(call.arguments, allow_nan=False)
        return call
    except (ValueError, ValidationError, RecursionError):
        return None


def _named(name: str) -> ToolSchema:
    return {"type": "function", "function": {"name": name, "parameters": {}}}
