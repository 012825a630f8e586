"""What stands between the brackets of a `paper` call: one text, or named arguments."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from components.contracts.tool_calls.base import CallError, FailureReason, Span
from components.contracts.tool_calls.literals import read_literal, skip_space, string_end
from components.contracts.tool_schemas import (
    ToolSchema,
    declared_types,
    find_tool,
    primary_parameter,
    tool_parameters,
)

KEY = re.compile(r"\s*(?:([^\W\d]\w*)|(?=[\"']))")
EQUALS = re.compile(r"\s*=(?!=)\s*")
MARKS = re.compile(r"[\[\](){},\"']")
UNNAMED = "argument"  # the parameter of a call with one text, when the tool is not known


def read_arguments(
    text: str, span: Span, name: str, tools: Sequence[ToolSchema]
) -> tuple[dict[str, JsonValue], dict[str, Span]]:
    """The arguments between `span`, and the span of each value.

    Named when the text starts with `key=` and any of its keys is a parameter of the tool (or the tool is
    not known, or the first key is quoted), so that the order of arguments never matters; otherwise one text for the tool's first
    required parameter. Values take the type that the schema declares where the text allows it.

    Raises:
        CallError: an argument is given twice.
    """
    tool = find_tool(tools, name)
    parameters = tool_parameters(tool) if tool else {}
    first = _key_at(text, span[0], span[1])
    quoted = text[slice(*_trimmed(text, span))][:1] in ("'", '"')
    if first and (tool is None or quoted or _names_one(text, span, first, parameters)):
        return _read_named(text, span, first, parameters)
    start, end = _trimmed(text, span)
    if start == end:
        return {}, {}
    target = (primary_parameter(tool) if tool else None) or UNNAMED
    return {target: _value(text[start:end], parameters.get(target, {"type": "string"}))}, {
        target: (start, end)
    }


def _names_one(text: str, span: Span, first: tuple[str, int], parameters: dict[str, dict[str, Any]]) -> bool:
    """Whether one of the keys, the first or a later one, is a parameter."""
    key: tuple[str, int] | None = first
    while key is not None:
        if key[0] in parameters:
            return True
        _, key = _value_end(text, key[1], span[1])
    return False


def _read_named(
    text: str, span: Span, first: tuple[str, int], parameters: dict[str, dict[str, Any]]
) -> tuple[dict[str, JsonValue], dict[str, Span]]:
    arguments: dict[str, JsonValue] = {}
    spans: dict[str, Span] = {}
    key: tuple[str, int] | None = first
    while key is not None:
        name, start = key
        end, key = _value_end(text, start, span[1])
        if name in arguments:
            raise CallError(
                FailureReason.DUPLICATE_ARGUMENT, start, f"the argument {name[:80]!r} is there twice"
            )
        spans[name] = _trimmed(text, (start, end))
        arguments[name] = _value(text[slice(*spans[name])], parameters.get(name, {}))
    return arguments, spans


def _value_end(text: str, position: int, limit: int) -> tuple[int, tuple[str, int] | None]:
    """Where the value at `position` ends: before a comma that a key follows, or at the limit."""
    depth = 0
    try:
        # A whole literal hides all marks inside it.
        _, end = read_literal(text, position)
        following = skip_space(text, end)
        if following == limit or (following < limit and text[following] == ","):
            position = end
    except CallError:
        pass
    while True:
        mark = MARKS.search(text, position, limit)
        if mark is None:
            return limit, None
        position = mark.end()
        if mark.group() in "[({":
            depth += 1
        elif mark.group() in "])}":
            depth -= 1
        elif mark.group() == "," and depth <= 0:
            key = _key_at(text, position, limit)
            if key:
                return mark.start(), key


def _key_at(text: str, position: int, limit: int) -> tuple[str, int] | None:
    """The key at `position` and where its value starts, when `key=` stands there."""
    match = KEY.match(text, position, limit)
    if match is None:
        return None
    if match.group(1) is not None:
        name, end = match.group(1), match.end()
    else:
        closed = string_end(text, match.end())
        if closed is None or closed > limit:
            return None
        try:
            literal, end = read_literal(text, match.end())
        except CallError:
            return None
        name = str(literal)
    equals = EQUALS.match(text, end, limit)
    return (name, equals.end()) if equals else None


def _trimmed(text: str, span: Span) -> Span:
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _value(written: str, schema: dict[str, Any]) -> JsonValue:
    """The value meant: a literal where the declared type (or none) allows it, else the text itself."""
    types = declared_types(schema)
    quoted = written[:1] in ("'", '"')
    if types and "string" in types and not quoted:
        return written
    try:
        value, end = read_literal(written, 0)
    except CallError:
        return written
    return value if end == len(written) else written
