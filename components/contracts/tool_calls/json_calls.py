"""One call written as a JSON object: `{"name": ..., "arguments": {...}}`, read in place with spans."""

import json
import math
from typing import NoReturn

from pydantic import JsonValue

from components.contracts.records import ToolCall
from components.contracts.tool_calls.base import CallError, FailureReason, ParsedCall, Span, make_call
from components.contracts.tool_calls.literals import skip_space

Members = dict[str, tuple[JsonValue, Span]]


class _Refused(ValueError):
    """What Python's reader allows and JSON does not."""


def read_json_call(text: str, position: int, argument_keys: tuple[str, ...]) -> ParsedCall:
    """The call whose object starts at `position`; its arguments stand under one of `argument_keys`.

    Raises:
        CallError: not such an object; the position is where that was noticed.
    """
    members, end = read_members(text, position)
    if "name" not in members:
        raise CallError(FailureReason.BAD_NAME, end, 'the call has no "name"')
    name, (name_start, name_end) = members.pop("name")
    if not isinstance(name, str) or not name.strip():
        raise CallError(FailureReason.BAD_NAME, end, '"name" must be a text')
    key = next((one for one in argument_keys if one in members), None)
    if key is None:
        raise CallError(FailureReason.BAD_ARGUMENTS, end, f'the call has no "{argument_keys[0]}"')
    value, (start, _) = members.pop(key)
    for known in ("type", "id"):  # what some models add, without a meaning for the call
        members.pop(known, None)
    if members:
        raise CallError(FailureReason.BAD_ARGUMENTS, end, f"a call has no {next(iter(members))[:80]!r}")
    if not isinstance(value, dict):
        raise CallError(FailureReason.BAD_ARGUMENTS, end, f'"{key}" must be an object')
    arguments, _ = read_members(text, start)
    values = {argument: member[0] for argument, member in arguments.items()}
    spans = {argument: member[1] for argument, member in arguments.items()}
    name_span = (name_start + 1, name_end - 1)  # inside the quotes
    return make_call(text, (position, end), name_span, values, spans, name=name)


def read_members(text: str, position: int) -> tuple[Members, int]:
    """The members of the JSON object at `position`, each with its value's span, and the end.

    Raises:
        CallError: not a JSON object, not closed, a key twice, or nested too deeply.
    """
    members: Members = {}
    position = _after(text, position, "{")
    if text.startswith("}", position):
        return members, position + 1
    while True:
        if not text.startswith('"', position):
            raise _unexpected(text, position, "a key in double quotes")
        key, end = _value(text, position)
        if str(key) in members:
            raise CallError(
                FailureReason.DUPLICATE_ARGUMENT, position, f"the key {str(key)[:80]!r} is there twice"
            )
        start = _after(text, skip_space(text, end), ":")
        value, end = _value(text, start)
        members[str(key)] = (value, (start, end))
        position = skip_space(text, end)
        if text.startswith("}", position):
            return members, position + 1
        position = _after(text, position, ",")


def render_json_call(call: ToolCall, arguments_key: str) -> str:
    """`{"name": "...", "<arguments_key>": {...}}` on one line."""
    name = json.dumps(call.name, ensure_ascii=False)
    arguments = json.dumps(call.arguments, ensure_ascii=False, allow_nan=False)
    return f'{{"name": {name}, "{arguments_key}": {arguments}}}'


def _value(text: str, position: int) -> tuple[JsonValue, int]:
    try:
        value, end = _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        if error.pos >= len(text) or error.msg.startswith("Unterminated string"):
            raise CallError(FailureReason.UNTERMINATED, len(text), "the JSON ends too early") from error
        raise CallError(FailureReason.BAD_ARGUMENTS, error.pos, f"not JSON: {error.msg}") from error
    except RecursionError as error:
        raise CallError(FailureReason.TOO_DEEP, position, "nested too deeply") from error
    except ValueError as error:
        reason = FailureReason.DUPLICATE_ARGUMENT if "twice" in str(error) else FailureReason.BAD_ARGUMENTS
        raise CallError(reason, position, str(error)[:200]) from error
    return value, end


def _after(text: str, position: int, mark: str) -> int:
    if not text.startswith(mark, position):
        raise _unexpected(text, position, repr(mark))
    return skip_space(text, position + 1)


def _unexpected(text: str, position: int, expected: str) -> CallError:
    if position >= len(text):
        return CallError(FailureReason.UNTERMINATED, position, f"expected {expected}, the text ends")
    shown = text[position : position + 20]
    return CallError(FailureReason.BAD_ARGUMENTS, position, f"expected {expected} at {shown!r}")


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise _Refused("a key is there twice")
    return result


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(f"{text[:40]} is too large a number")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite)
