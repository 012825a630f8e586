"""ShareGPT rows: `{"conversations": [{"from": "human", "value": ...}], "tools"?, "answer"?}`."""

from collections.abc import Mapping

from components.ingest.fields import from_json
from components.ingest.formats.base import Format
from components.ingest.formats.dialogue import Spoken, draft_of
from components.ingest.rows import Draft, RowError

ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "model": "assistant"}
ROLES |= {"chatgpt": "assistant", "system": "system", "function_call": "assistant", "tool_call": "assistant"}
ROLES |= {"observation": "tool", "function_response": "tool", "tool": "tool", "tool_response": "tool"}
CALLS = ("function_call", "tool_call")


def convert(row: Mapping[str, object]) -> Draft:
    """The last question of the dialogue, see `dialogue`."""
    turns = row.get("conversations")
    if isinstance(turns, str):
        turns = from_json("conversations", turns)
    if not isinstance(turns, list) or not turns:
        raise RowError("conversations", "expected a list of turns")
    spoken = [_spoken(f"conversations[{number}]", turn) for number, turn in enumerate(turns)]
    return draft_of(row, spoken, "conversations")


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has conversations."""
    return isinstance(row.get("conversations"), list | str)


def _spoken(field: str, turn: object) -> Spoken:
    if not isinstance(turn, Mapping):
        raise RowError(field, f"expected an object, got {type(turn).__name__}")
    speaker, value = turn.get("from"), turn.get("value")
    if not isinstance(speaker, str) or speaker not in ROLES:
        raise RowError(f"{field}.from", f"expected one of {', '.join(ROLES)}, got {speaker!r}")
    if not isinstance(value, str):
        raise RowError(f"{field}.value", f"expected text, got {type(value).__name__}")
    return Spoken(ROLES[speaker], value.strip(), speaker in CALLS)


FORMAT = Format("sharegpt", "question", matches, convert)
