"""ToolACE: tools in the system text, calls as `[name(a=1)]`.

    {"system": "You are an expert in composing functions. ... that you can invoke:\\n[{\\"name\\": \\"Market Trends
       API\\", \\"description\\": \\"...\\", \\"parameters\\": {\\"type\\": \\"dict\\", \\"properties\\": {...}}}]\\n...",
     "conversations": [
       {"from": "user", "value": "What are the trends in the US?"},
       {"from": "assistant", "value": "[Market Trends API(trend_type=\\"MARKET_INDEXES\\", country=\\"us\\")]"},
       {"from": "tool", "value": "[{\\"name\\": \\"Market Trends API\\", \\"results\\": {...}}]"},
       {"from": "assistant", "value": "Here are the trends ..."}]}

The system text may also be the first of the conversations. It is left out of what a policy is shown.
"""

import json
import re
from collections.abc import Mapping, Sequence

from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema
from components.ingest.call_texts import python_calls
from components.ingest.fields import optional_text
from components.ingest.formats.base import Format
from components.ingest.formats.sharegpt import ROLES
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Exchange, RowError, Said

LIST = re.compile(r"\[\s*\{\s*\"|\[\s*\]")
MARK = "functions in JSON format"


def convert(row: Mapping[str, object]) -> Exchange:
    """The dialogue with its calls read."""
    system, turns = _parts(row)
    if not turns:
        raise RowError("conversations", "expected a list of turns")
    tools = _tools(system)
    said = tuple(_said(f"conversations[{n}]", turn, tools) for n, turn in enumerate(turns))
    return Exchange(tools, said, id=optional_text(row, "id"))


def matches(row: Mapping[str, object]) -> bool:
    """Whether the system text announces functions in JSON."""
    system, turns = _parts(row)
    return bool(turns) and MARK in system


def _parts(row: Mapping[str, object]) -> tuple[str, list[object]]:
    turns = row.get("conversations")
    if not isinstance(turns, list):
        return "", []
    system = row.get("system")
    if isinstance(system, str) and system:
        return system, turns
    head = turns[0] if turns else None
    if isinstance(head, Mapping) and head.get("from") == "system":
        return str(head.get("value")), turns[1:]
    return "", turns


def _tools(system: str) -> tuple[ToolSchema, ...]:
    found = LIST.search(system)
    if found is None:
        raise RowError("system", "no tools are offered, expected a JSON list of functions")
    try:
        value, _ = json.JSONDecoder().raw_decode(system, found.start())
    except (ValueError, RecursionError) as error:
        raise RowError("system", "the list of tools is not JSON") from error
    return offered_tools(value, "system")


def _said(field: str, turn: object, tools: Sequence[ToolSchema]) -> Said:
    speaker = turn.get("from") if isinstance(turn, Mapping) else None
    value = turn.get("value") if isinstance(turn, Mapping) else None
    if not isinstance(speaker, str) or speaker not in ROLES or not isinstance(value, str):
        raise RowError(field, f"expected a known speaker and text, got {speaker!r}")
    role, text = ROLES[speaker], value.strip()
    if role != "assistant":
        return Said(role, text)
    parsed = get_call_format("pythonic").parse(text, tools)
    if parsed.calls and not parsed.failures:
        return Said(role, parsed.thought, tuple(one.call for one in parsed.calls))
    if parsed.failures:
        return Said(role, "", python_calls(f"{field}.value", text, tools))
    return Said(role, text)


FORMAT = Format("toolace", "toolace", matches, convert)
