"""OpenAI chat rows: `{"messages": [{"role", "content", "tool_calls"?}], "tools"?, "answer"?}`.

Without a call in it the dialogue is a question (see `dialogue`). With one it is a trajectory:

    {"messages": [
       {"role": "user", "content": "Weather in Oslo?"},
       {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function":
         {"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}}]},
       {"role": "tool", "tool_call_id": "c1", "content": "{\\"celsius\\": 4}"},
       {"role": "assistant", "content": "4 degrees."}],
     "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {...}}}]}
"""

from collections.abc import Mapping
from typing import Literal

from components.ingest.call_texts import json_calls
from components.ingest.fields import from_json
from components.ingest.formats.base import Format
from components.ingest.formats.dialogue import Spoken, draft_of, exchange_of
from components.ingest.rows import Draft, Exchange, RowError, Said

Role = Literal["system", "user", "assistant", "tool"]
ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
ROLES |= {"tool": "tool", "function": "tool"}


def convert(row: Mapping[str, object]) -> Draft | Exchange:
    """The dialogue as a trajectory, or its last question where nothing is called."""
    messages = row.get("messages")
    if isinstance(messages, str):
        messages = from_json("messages", messages)
    if not isinstance(messages, list) or not messages:
        raise RowError("messages", "expected a list of messages")
    spoken = [_spoken(f"messages[{number}]", one) for number, one in enumerate(messages)]
    if any(one.calls for one in spoken):
        said = [_said(f"messages[{number}]", one) for number, one in enumerate(messages)]
        return exchange_of(row, said, "messages")
    return draft_of(row, spoken, "messages")


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has messages."""
    return isinstance(row.get("messages"), list | str)


def _spoken(field: str, message: object) -> Spoken:
    if not isinstance(message, Mapping):
        raise RowError(field, f"expected an object, got {type(message).__name__}")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise RowError(f"{field}.role", f"expected one of {', '.join(ROLES)}, got {role!r}")
    calls = bool(message.get("tool_calls") or message.get("function_call"))
    return Spoken(ROLES[role], _text(f"{field}.content", message.get("content")), calls)


def _said(field: str, message: Mapping[str, object]) -> Said:
    role = ROLES[str(message["role"])]
    made = message.get("tool_calls") or message.get("function_call")
    if made and role != "assistant":
        raise RowError(f"{field}.tool_calls", f"expected calls of an assistant only, got {role!r}")
    return Said(
        role,
        _text(f"{field}.content", message.get("content")),
        json_calls(f"{field}.tool_calls", made) if made else (),
        name=str(message.get("name") or ""),
        call_id=str(message.get("tool_call_id") or ""),
    )


def _text(field: str, content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content.strip()
    if not isinstance(content, list):
        raise RowError(field, f"expected text, got {type(content).__name__}")
    parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise RowError(field, "expected parts of text only")
    return "\n".join(texts).strip()


FORMAT = Format("messages", "question", matches, convert)
