"""ShareGPT rows: `{"conversations": [{"from": "human", "value": ...}], "tools"?, "answer"?}`.

Without a call in it the dialogue is a question (see `dialogue`). With one it is a trajectory:

    {"conversations": [
       {"from": "human", "value": "I need a 12 character password."},
       {"from": "function_call", "value": "{\\"name\\": \\"make_password\\", \\"arguments\\": {\\"length\\": 12}}"},
       {"from": "observation", "value": "{\\"password\\": \\"aK3$mP9!qR2v\\"}"},
       {"from": "gpt", "value": "Here it is: aK3$mP9!qR2v"}],
     "tools": "[{\\"name\\": \\"make_password\\", \\"description\\": \\"...\\", \\"parameters\\": {...}}]"}
"""

from collections.abc import Mapping
from typing import Literal

from components.ingest.call_texts import json_calls
from components.ingest.fields import from_json, optional_text
from components.ingest.formats.base import Format
from components.ingest.formats.dialogue import Spoken, draft_of, exchange_of
from components.ingest.rows import Draft, Exchange, RowError, Said

Role = Literal["system", "user", "assistant", "tool"]
ROLES: dict[str, Role] = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
ROLES |= {"model": "assistant", "chatgpt": "assistant", "system": "system", "function_call": "assistant"}
ROLES |= {"tool_call": "assistant", "observation": "tool", "function_response": "tool", "tool": "tool"}
ROLES |= {"tool_response": "tool"}
CALLS = ("function_call", "tool_call")


def convert(row: Mapping[str, object]) -> Draft | Exchange:
    """The dialogue as a trajectory, or its last question where nothing is called."""
    turns = row.get("conversations")
    if isinstance(turns, str):
        turns = from_json("conversations", turns)
    if not isinstance(turns, list) or not turns:
        raise RowError("conversations", "expected a list of turns")
    spoken = [_spoken(f"conversations[{number}]", turn) for number, turn in enumerate(turns)]
    if any(one.calls for one in spoken):
        system = optional_text(row, "system")
        said = [Said("system", system)] if system and spoken[0].role != "system" else []
        said += [_said(f"conversations[{number}].value", one) for number, one in enumerate(spoken)]
        return exchange_of(row, said, "sharegpt")
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


def _said(field: str, spoken: Spoken) -> Said:
    if not spoken.calls:
        return Said(spoken.role, spoken.text)
    return Said("assistant", "", json_calls(field, spoken.text))


FORMAT = Format("sharegpt", "question", matches, convert)
