"""Python and JSON literals read in place: the value, and where it ends. Nothing is ever evaluated.

Strings and numbers are leaves for `ast.literal_eval`; lists, tuples and objects are walked here, to a
bounded depth, so that no text can overflow the stack or take more than linear time.
"""

import ast
import math
import re
import warnings

from pydantic import JsonValue

from components.contracts.tool_calls.base import MAX_DEPTH, CallError, FailureReason, Span

NUMBER = re.compile(r"[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?")
WORD = re.compile(r"[A-Za-z_]\w*")
SPACE = re.compile(r"\s*")
STRING_START = re.compile(r"(?i:r|u)?(\"\"\"|'''|\"|')")
WORDS: dict[str, JsonValue] = {
    "True": True,
    "False": False,
    "None": None,
    "true": True,
    "false": False,
    "null": None,
}


def skip_space(text: str, position: int) -> int:
    """The first position from `position` on that is not white space."""
    match = SPACE.match(text, position)
    return match.end() if match else position


def read_literal(text: str, position: int, depth: int = 0) -> tuple[JsonValue, int]:
    """The literal that starts at `position`, and the position behind it.

    Raises:
        CallError: no literal there, or it is not closed, or it is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise CallError(FailureReason.TOO_DEEP, position, f"nested deeper than {MAX_DEPTH}")
    if position >= len(text):
        raise CallError(FailureReason.UNTERMINATED, position, "a value is missing at the end")
    start = text[position]
    if start in "[(":
        return _read_list(text, position, depth)
    if start == "{":
        value, end, _ = read_object(text, position, depth)
        return value, end
    if STRING_START.match(text, position):
        return _read_strings(text, position)
    number = NUMBER.match(text, position)
    if number:
        return _number(number.group(), position), number.end()
    word = WORD.match(text, position)
    if word and word.group() in WORDS:
        return WORDS[word.group()], word.end()
    raise CallError(
        FailureReason.BAD_ARGUMENTS, position, f"expected a value at {text[position : position + 20]!r}"
    )


def read_object(
    text: str, position: int, depth: int = 0
) -> tuple[dict[str, JsonValue], int, dict[str, Span]]:
    """The `{...}` at `position`: its members, the position behind it, and each value's span.

    Raises:
        CallError: as `read_literal`; also a key that is no string, or is there twice.
    """
    members: dict[str, JsonValue] = {}
    spans: dict[str, Span] = {}
    position = skip_space(text, position + 1)
    while not text.startswith("}", position):
        key, end = read_literal(text, position, depth + 1)
        if not isinstance(key, str):
            raise CallError(FailureReason.BAD_ARGUMENTS, position, "expected a text as key")
        if key in members:
            raise CallError(
                FailureReason.DUPLICATE_ARGUMENT, position, f"the key {key[:80]!r} is there twice"
            )
        start = skip_space(text, _expect(text, skip_space(text, end), ":"))
        members[key], end = read_literal(text, start, depth + 1)
        spans[key] = (start, end)
        position = _next_element(text, end, "}")
    return members, position + 1, spans


def _read_list(text: str, position: int, depth: int) -> tuple[JsonValue, int]:
    """A list or a tuple; brackets around one value, without a comma, are only brackets."""
    opening, closing = text[position], "]" if text[position] == "[" else ")"
    values: list[JsonValue] = []
    last = -1
    position = skip_space(text, position + 1)
    while not text.startswith(closing, position):
        value, last = read_literal(text, position, depth + 1)
        values.append(value)
        position = _next_element(text, last, closing)
    if opening == "(" and len(values) == 1 and skip_space(text, last) == position:
        return values[0], position + 1
    return values, position + 1


def _next_element(text: str, position: int, closing: str) -> int:
    """Over a comma to the next element, or to the closing bracket."""
    position = skip_space(text, position)
    if text.startswith(closing, position):
        return position
    return skip_space(text, _expect(text, position, ","))


def _expect(text: str, position: int, mark: str) -> int:
    if text.startswith(mark, position):
        return position + 1
    if position >= len(text):
        raise CallError(FailureReason.UNTERMINATED, position, f"expected {mark!r}, the text ends")
    raise CallError(
        FailureReason.BAD_ARGUMENTS, position, f"expected {mark!r} at {text[position : position + 20]!r}"
    )


def _read_strings(text: str, position: int) -> tuple[str, int]:
    """One string, or several side by side, which Python joins."""
    parts: list[str] = []
    while True:
        end = string_end(text, position)
        if end is None:
            raise CallError(FailureReason.UNTERMINATED, position, "a string is not closed")
        parts.append(_string(text[position:end], position))
        following = skip_space(text, end)
        if not STRING_START.match(text, following):
            return "".join(parts), end
        position = following


def string_end(text: str, position: int) -> int | None:
    """The position behind the string literal that starts at `position`, None when it is not closed."""
    match = STRING_START.match(text, position)
    if match is None:
        return None
    quote = match.group(1)
    here = match.end()
    pattern = TRIPLE_ENDS[quote] if len(quote) == 3 else LINE_ENDS[quote]
    found = pattern.match(text, here)
    return found.end() if found else None


# Possessive runs (Python 3.11), so that a string that never closes costs one pass and no backtracking.
LINE_ENDS = {quote: re.compile(rf"(?:[^{quote}\\\n\r]|\\(?s:.))*+{quote}") for quote in "'\""}
TRIPLE_ENDS = {
    quote * 3: re.compile(rf"(?s)(?:[^{quote}\\]|\\.|{quote}(?!{quote}{quote}))*+{quote * 3}")
    for quote in "'\""
}


def _string(token: str, position: int) -> str:
    try:
        if "\\" not in token:
            value = ast.literal_eval(token)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unknown escape only warns
                value = ast.literal_eval(token)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise CallError(FailureReason.BAD_ARGUMENTS, position, "not a text that can be read") from error
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CallError(
            FailureReason.BAD_ARGUMENTS, position, "half of a surrogate pair in a text"
        ) from error
    return str(value)


def _number(token: str, position: int) -> int | float:
    sign = -1 if token.startswith("-") else 1
    try:
        value = ast.literal_eval(token.lstrip("+-"))
    except (ValueError, SyntaxError) as error:
        raise CallError(FailureReason.BAD_ARGUMENTS, position, f"{token[:40]!r} is not a number") from error
    if not isinstance(value, int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise CallError(FailureReason.BAD_ARGUMENTS, position, f"{token[:40]!r} is not a finite number")
    return sign * value
