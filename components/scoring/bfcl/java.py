"""Java values written as text, read as BFCL's checker reads them; nothing is run.

Text that is no value of the declared type stays text, and is then of the wrong type or a variable's name. Slips
that are kept: a `char` never loses its quotes; in an `Array` texts keep theirs; a byte may be of any size; a map
ends at its first "}" and a list of `add`s takes what is between "add(" and the next ")".
"""

import re
from typing import Any

_DIGITS = r"-?\d+"
_DECIMAL = _DIGITS + r"(?:\.\d+)?(?:[eE][+-]?\d+)?"
_INTEGER = re.compile(_DIGITS + "$")
_LONG = re.compile(f"({_DIGITS})[lL]$")
_FLOAT = re.compile(f"({_DECIMAL})[fF]$")
_DOUBLE = re.compile(_DECIMAL + "$")
_NEW_LIST = r"new\s+ArrayList<\w*>\("
_LIST_OF = re.compile(_NEW_LIST + r"Arrays\.asList\((.+?)\)\)")
_LIST_BLOCK = re.compile(_NEW_LIST + r"\)\s*\{\{")
_LIST_EMPTY = re.compile(_NEW_LIST + r"\)")
_ADDED = re.compile(r"add\((.+?)\)")
_ARRAY = re.compile(r"new\s+\w+\[\]\s*\{(.*?)\}")
_MAP_BLOCK = re.compile(r"new\s+HashMap<.*?>\s*\(\)\s*\{\s*\{?\s*", re.DOTALL)
_MAP_EMPTY = re.compile(r"new\s+HashMap<.*?>\s*\(\)")
_PUT = re.compile(r'put\("(.*?)",\s*(.*?)\)')
_SPACE = re.compile(r"\s*")


def read_java(text: str, declared: str, items: str | None = None) -> Any:
    """The value of a text. declared: BFCL's name of the type; items: that of a list's items.

    Raises:
        KeyError: a type that has no reading (`Set`, `Queue`, `Stack`, `Hashtable`).
    """
    if declared in ("String", "any", "char"):
        return text
    if declared in ("byte", "short", "integer"):
        return int(text) if _INTEGER.match(text) else text
    if declared == "long":
        match = _LONG.match(text)
        return int(match[1]) if match else text
    if declared == "float":
        match = _FLOAT.match(text)
        return float(match[1]) if match else text
    if declared == "double":
        return float(text) if _DOUBLE.match(text) else text
    if declared == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if declared == "ArrayList":
        return _read_list(text, items)
    if declared == "Array":
        return _read_array(text, items)
    if declared == "HashMap":
        return _read_map(text)
    raise KeyError(declared)


def _read_list(text: str, items: str | None) -> Any:
    match = _LIST_OF.search(text)
    if match:
        return [_read_item(part.strip(), items) for part in match[1].split(",")]
    for block in _LIST_BLOCK.finditer(text):
        body = _list_body(text, block.end())
        if body is not None:
            return [_read_item(part.strip(), items) for part in _ADDED.findall(body)]
    return [] if _LIST_EMPTY.search(text) else text


def _list_body(text: str, start: int) -> str | None:
    """What stands between "{{" and "}}", at least one character; None where it never ends."""
    spaces = _SPACE.match(text, start)
    first = spaces.end() if spaces else start
    end = text.find("}}", first + 1)
    if end >= 0:
        return text[first : max(first + 1, len(text[:end].rstrip()))]
    return "" if first > start and text.startswith("}}", first) else None


def _read_item(text: str, items: str | None) -> Any:
    if items in ("char", "String"):
        return text[1:-1]
    return read_java(text, items) if items else _read_untyped(text)


def _read_array(text: str, items: str | None) -> Any:
    match = _ARRAY.search(text)
    if not match:
        return text
    parts = [part.strip() for part in match[1].split(",")]
    return [read_java(part, items) if items else _read_untyped(part) for part in parts if part]


def _read_map(text: str) -> Any:
    block = _MAP_BLOCK.search(text)
    end = text.find("}", block.end()) if block else -1
    if block and end >= 0:
        body = text[block.end() : end]
        complete = body[: body.rfind(")") + 1]  # nothing can match behind it, and looking costs squared time
        return {key: _read_untyped(value.strip()) for key, value in _PUT.findall(complete)}
    return {} if _MAP_EMPTY.search(text) else text


def _read_untyped(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text.startswith('"') and text.endswith('"'):
        return text[1:-1]
    for pattern, kind in ((_LONG, int), (_FLOAT, float)):
        match = pattern.match(text)
        if match:
            return kind(match[1])
    return read_number(text)


def read_number(text: str) -> Any:
    """An int, else a float, else the text, as Python reads them ("1_000", "nan" and " 7 " are numbers)."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
