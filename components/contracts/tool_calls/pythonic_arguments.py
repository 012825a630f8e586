"""One call in Python's syntax: `name(a=1, b="x", **{"odd name": 2})`, values as literals."""

import re
from collections.abc import Sequence

from pydantic import JsonValue

from components.contracts.tool_calls.base import CallError, FailureReason, ParsedCall, Span, make_call
from components.contracts.tool_calls.literals import read_literal, read_object, skip_space
from components.contracts.tool_schemas import ToolSchema, find_tool, tool_parameters

KEY = re.compile(r"([^\W\d][\w.\-]*)\s*=(?!=)\s*")


def read_call(text: str, start: int, name_end: int, tools: Sequence[ToolSchema]) -> ParsedCall:
    """The call whose name is text[start:name_end], an opening bracket behind it.

    Values without a name go to the offered tool's parameters in the schema's order.

    Raises:
        CallError: the arguments can't be read; the position is where that was noticed.
    """
    arguments: dict[str, JsonValue] = {}
    spans: dict[str, Span] = {}
    tool = find_tool(tools, text[start:name_end])
    unnamed = list(tool_parameters(tool)) if tool else []
    position = skip_space(text, skip_space(text, name_end) + 1)
    while not text.startswith(")", position):
        values, value_spans, end = _read_argument(text, position, unnamed, len(arguments))
        for name in values:
            if name in arguments:
                raise CallError(
                    FailureReason.DUPLICATE_ARGUMENT, position, f"the argument {name[:80]!r} is there twice"
                )
        arguments |= values
        spans |= value_spans
        position = skip_space(text, end)
        if text.startswith(",", position):
            position = skip_space(text, position + 1)
        elif not text.startswith(")", position):
            if position >= len(text):
                raise CallError(FailureReason.UNTERMINATED, position, "the call's bracket is not closed")
            shown = text[position : position + 20]
            raise CallError(FailureReason.BAD_ARGUMENTS, position, f"expected ',' or ')' at {shown!r}")
    return make_call(text, (start, position + 1), (start, name_end), arguments, spans)


def _read_argument(
    text: str, position: int, unnamed: list[str], given: int
) -> tuple[dict[str, JsonValue], dict[str, Span], int]:
    """One argument (or the members of `**{...}`), the spans of the values, and the end."""
    if text.startswith("**", position):
        start = skip_space(text, position + 2)
        if not text.startswith("{", start):
            raise CallError(FailureReason.BAD_ARGUMENTS, start, "expected {...} behind **")
        members, end, spans = read_object(text, start)
        return members, spans, end
    key = KEY.match(text, position)
    start = key.end() if key else position
    value, end = read_literal(text, start)
    if key is None and given >= len(unnamed):
        raise CallError(FailureReason.BAD_ARGUMENTS, position, "expected name=value")
    name = key.group(1) if key else unnamed[given]
    return {name: value}, {name: (start, end)}, end
