"""OpenAI chat rows: `{"messages": [{"role", "content", "tool_calls"?}], "tools"?, "answer"?}`."""

from collections.abc import Mapping

from components.ingest.fields import from_json
from components.ingest.formats.base import Format
from components.ingest.formats.dialogue import Spoken, draft_of
from components.ingest.rows import Draft, RowError

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
ROLES |= {"tool": "tool", "function": "tool"}


def convert(row: Mapping[str, object]) -> Draft:
    """The last question of the dialogue, see `dialogue`."""
    messages = row.get("messages")
    if isinstance(messages, str):
        messages = from_json("messages", messages)
    if not isinstance(messages, list) or not messages:
        raise RowError("messages", "expected a list of messages")
    return draft_of(row, [_spoken(f"messages[{n}]", one) for n, one in enumerate(messages)], "messages")


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
