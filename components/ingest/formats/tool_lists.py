"""The tools of a row, in the OpenAI form, or why they can't be used."""

import json
import re
from collections.abc import Sequence

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_dialects import normalise_tools
from components.contracts.tool_schemas import ToolSchema, find_tool
from components.ingest.rows import RowError

_WHERE = re.compile(r"^(tools(?:\[\d+\])?[\w.\[\]]*): (.*)$", re.DOTALL)


def offered_tools(tools: object, field: str = "tools") -> tuple[ToolSchema, ...]:
    """A row's tool list, any dialect.

    Raises:
        RowError: none there, or one of them is no tool.
    """
    if tools is None or tools == "":
        raise RowError(field, "no tools are offered, expected a list of tool schemas")
    try:
        return normalise_tools(tools)
    except InputError as error:
        found = _WHERE.match(str(error))
        place, reason = (found[1], found[2]) if found else ("", str(error))
        raise RowError(field, f"{reason} ({place})" if place not in ("", "tools") else reason) from error


def tools_after(text: str, mark: str, field: str) -> tuple[ToolSchema, ...]:
    """The tool list that `text` holds as JSON behind `mark`.

    Raises:
        RowError: no mark, or no tool list behind it.
    """
    _, found, rest = text.partition(mark)
    start = rest.find("[")
    if not found or start < 0 or rest[:start].strip(" :.\n\t"):
        raise RowError(field, f"expected a list of tools behind {mark.strip()!r}")
    try:
        value, _ = json.JSONDecoder().raw_decode(rest, start)
    except (ValueError, RecursionError) as error:
        raise RowError(field, "the list of tools is not JSON") from error
    return offered_tools(value, field)


def tools_in(text: str, field: str) -> tuple[ToolSchema, ...]:
    """The tools that `text` holds as JSON objects, one behind the other.

    Raises:
        RowError: none there, or one is not JSON or no tool.
    """
    decoder, found, position = json.JSONDecoder(), [], 0
    while (position := text.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise RowError(field, "a tool's description is not JSON") from error
        found.append(value)
    return offered_tools(found, field)


def check_offered(field: str, golds: Sequence[Sequence[ToolCall]], tools: Sequence[ToolSchema]) -> None:
    """Refuse a gold that names a tool which is not offered.

    Raises:
        RowError: names the tool.
    """
    for call in (call for calls in golds for call in calls):
        if find_tool(tools, call.name) is None:
            raise RowError(field, f"the gold names a tool that is not offered (it is {call.name!r})")
