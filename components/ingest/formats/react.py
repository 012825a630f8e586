"""What RoTBench and ToolEyes share: tools inside the system text, turns as Thought / Action / Action Input.

The system text is left out of what a policy is shown: it teaches another call format than ours.
"""

from collections.abc import Mapping

from components.contracts.tool_schemas import ToolSchema
from components.ingest.formats.tool_lists import tools_after
from components.ingest.rows import RowError, Said

MARK = "following tools:"
BEGIN = "Begin!"


def turns_of(row: Mapping[str, object]) -> list[tuple[str, object]]:
    """(speaker, value) of each turn; empty when the row is not of this family."""
    turns = row.get("conversations")
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        return []
    found = [(str(turn.get("from")), turn.get("value")) for turn in turns]
    is_known = bool(found) and found[0][0] == "system" and isinstance(found[0][1], str)
    return found if is_known and MARK in str(found[0][1]) and "Action Input" in str(found[0][1]) else []


def tools_of_system(turns: list[tuple[str, object]]) -> tuple[ToolSchema, ...]:
    """The tools in the system text.

    Raises:
        RowError: none there, or not JSON.
    """
    if not turns:
        raise RowError("conversations", f"expected a system text with {MARK!r} and a list of tools")
    return tools_after(str(turns[0][1]), MARK, "conversations[0].value")


def user_message(field: str, value: object) -> Said:
    """The user's message without the mark at its end."""
    if not isinstance(value, str):
        raise RowError(field, f"expected text, got {type(value).__name__}")
    return Said("user", value.strip().removesuffix(BEGIN).strip())
