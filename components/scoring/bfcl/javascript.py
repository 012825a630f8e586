"""JavaScript values written as text, read as BFCL's checker reads them; nothing is run.

Text that is no value of the declared type stays text. Slips that are kept: a list ends at its first "]" and is cut
at every comma, also in texts; a dictionary ends at its first "}"; `any` is always text; after a second level of
lists nothing is typed.
"""

import re
from typing import Any

from components.scoring.bfcl.java import read_number

_INTEGER = re.compile(r"-?\d+$")
_FLOAT = re.compile(r"-?\d+(?:\.\d+)?$")
_BIGINT = re.compile(r"(-?\d+)n$")
_NEW_ARRAY = re.compile(r"new\s+Array\(")
_INNER = re.compile(r"\[(.*?)\]")
_FLAT = re.compile(r"\[(.*?)\]|new\s+Array\((.*?)\)")
_OBJECT = re.compile(r"\{(.*?)\}")
_ENTRY = re.compile(r"([^:]+):\s*(.*?)(?:,\s*(?=[^,]+:)|$)")
_NEXT_INNER = re.compile(r"\s*,\s*\[")
_SPACE = re.compile(r"\s*")


def read_javascript(text: str, declared: str, items: str | None = None) -> Any:
    """The value of a text. declared: BFCL's name of the type; items: that of a list's items.

    Raises:
        KeyError: a type that has no reading.
    """
    if declared == "any":
        return text
    if declared == "String":
        return text[1:-1] if _quoted(text) else text
    if declared == "integer":
        return int(text) if _INTEGER.match(text) else text
    if declared == "float":
        return float(text) if _FLOAT.match(text) else text
    if declared == "Bigint":
        match = _BIGINT.match(text)
        return int(match[1]) if match else text
    if declared == "Boolean":
        return {"true": True, "false": False}.get(text, text)
    if declared == "array":
        return _read_list(text.strip(), items)
    if declared == "dict":
        return _read_object(text.strip())
    raise KeyError(declared)


def _quoted(text: str) -> bool:
    return any(text.startswith(mark) and text.endswith(mark) for mark in "\"'")


def _read_list(text: str, items: str | None) -> Any:
    nested = _nested_part(text)
    if nested is not None:
        rows = [row.strip() for row in _INNER.findall(nested)]
        if rows and rows[0].startswith("["):
            rows[0] = rows[0][1:]
        return [[_read_untyped(part) for part in row.split(",")] for row in rows]
    match = _FLAT.match(text)
    if not match:
        return text
    body = (match[1] if match[1] is not None else match[2]).strip()
    parts = [part.strip() for part in body.split(",")] if body else []
    try:
        return [read_javascript(part, items) if items else _read_untyped(part) for part in parts]
    except (KeyError, ValueError):
        return text


def _nested_part(text: str) -> str | None:
    """The leading list of lists, or `new Array([...], [...])`, of a text; None where there is none.

    An inner list may hold brackets, so that its end is the first "]" from which the rest fits. From right to
    left, for each "]": where the whole ends if an inner list ends there. Linear, where trying them all is not:
    a model may well write "[1],[1],[1]..." until it is cut.
    """
    opening = _NEW_ARRAY.match(text)
    start, closing = (opening.end(), ")") if opening else (1, "]")
    if not opening and not text.startswith("["):
        return None
    start = _after_space(text, start)
    if not text.startswith("[", start):
        return None
    end_from = [-1] * (len(text) + 1)  # of the next fitting "]" on the same line: the end of the whole
    for position in range(len(text) - 1, start, -1):
        if text[position] == "\n":
            continue
        end_from[position] = end_from[position + 1]
        if text[position] == "]":
            following = _NEXT_INNER.match(text, position + 1)
            end = end_from[following.end()] if following else -1
            after = _after_space(text, position + 1)
            if end < 0 and text.startswith(closing, after):
                end = after + 1
            if end >= 0:
                end_from[position] = end
    end = end_from[start + 1]
    return text[:end] if end >= 0 else None


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _read_object(text: str) -> Any:
    if text == "{}":
        return {}
    match = _OBJECT.match(text)
    if not match:
        return text
    return {key.strip().strip("'\""): _read_entry(value.strip()) for key, value in _ENTRY.findall(match[1])}


def _read_entry(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return _read_list(text, None)
    if text.startswith("{") and text.endswith("}"):
        return _read_object(text)
    return _read_untyped(text.strip("'\""))


def _read_untyped(text: str) -> Any:
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    return text[1:-1] if _quoted(text) else read_number(text)
