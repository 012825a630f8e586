"""Inside a call: where its arguments end, and where it ends itself, in a text that still grows."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from components.contracts.tool_calls.literals import skip_space, string_end
from components.contracts.tool_calls.paper import AFTER_STRING, BEFORE_STRING
from components.contracts.tool_schemas import ToolSchema, find_tool, tool_parameters

Result = TypeVar("Result")
Scan = Generator[tuple[int, str] | None, None, Result]

JSON_MARKS = re.compile(r"[\"{}\[\],]|</tool_call>")
JSON_STRING = re.compile(r"\"(?:[^\"\\]|\\(?s:.))*+\"")
MARKS = re.compile(r"[()\[\]{},\"']")
NAMED = re.compile(r"\s*(?:([^\W\d]\w*)|\"([^\"\n]*)\"|'([^'\n]*)')\s*=(?=[^=])")
PERHAPS_NAMED = re.compile(r"\s*(?:[^\W\d]\w*\s*=?|\"[^\"\n]*(?:\"\s*=?)?|'[^'\n]*(?:'\s*=?)?)?")


@dataclass
class Growth:
    """The text so far; whoever scans it asks for more by yielding None."""

    text: str = ""


def next_letter(growth: Growth, position: int) -> Scan[int]:
    """Where the first character from `position` on is that is not white space."""
    while skip_space(growth.text, position) >= len(growth.text):
        yield None
    return skip_space(growth.text, position)


def scan_json_call(growth: Growth, position: int, inside: bool, *, close: str = "") -> Scan[int]:
    """A JSON call from `position` on; returns its end, that of `close` where one is given.

    Cut behind the members of the call and behind those of its arguments. A closing mark ends a call whose brackets
    don't match, too.
    """
    open_brackets: list[str] = []
    while True:
        mark = JSON_MARKS.search(growth.text, position)
        if mark is None:
            yield None
            continue
        what = mark.group()
        if what == '"':
            string = JSON_STRING.match(growth.text, mark.start())
            if string is None:
                yield None
                continue
            position = string.end()
            continue
        position = mark.end()
        if what in "{[":
            open_brackets.append(what)
        elif what in "}]":
            open_brackets = open_brackets[:-1]
            if not open_brackets and not close:
                return position
        elif what == ",":
            if inside and open_brackets in (["{"], ["{", "{"]):
                yield position, "}"
        elif what == close:
            return position


def scan_python_arguments(growth: Growth, opening: int, inside: bool) -> Scan[int]:
    """The arguments in the bracket at `opening`; returns the place behind the one that closes it."""
    depth, position = 0, opening
    while True:
        mark = MARKS.search(growth.text, position)
        if mark is None:
            yield None
            continue
        what = mark.group()
        if what in "\"'":
            # Two quotes are an empty string, or the beginning of three.
            whole = len(growth.text) >= mark.start() + 3
            end = string_end(growth.text, mark.start()) if whole else None
            if end is None:
                yield None
                continue
            position = end
            continue
        position = mark.end()
        if what in "([{":
            depth += 1
        elif what in ")]}":
            depth -= 1
            if depth == 0:
                return position
        elif inside and depth == 1:
            yield position, ")"


def scan_paper_arguments(
    growth: Growth, opening: int, inside: bool, called: str, tools: Sequence[ToolSchema]
) -> Scan[int]:
    """The same for a `paper` call, whose commas divide arguments only where a name follows."""
    tool = find_tool(tools, called)
    known = tool_parameters(tool) if tool else None
    square, other, position = 0, 0, opening
    while True:
        text = growth.text
        mark = MARKS.search(text, position)
        if mark is None:
            yield None
            continue
        what, here = mark.group(), mark.start()
        if what in "\"'":
            end = _string_or_letter(text, here)
            if end is None:
                yield None
                continue
            position = end
            continue
        position = mark.end()
        if what == "[":
            square += 1
        elif what == "]":
            square -= 1
            if square == 0:
                return position
        elif what in "({":
            other += 1
        elif what in ")}":
            other -= 1
        elif inside and square == 1 and other <= 0 and NAMED.match(text, opening + 1):
            while PERHAPS_NAMED.fullmatch(growth.text, position):
                yield None
            name = NAMED.match(growth.text, position)
            if name and (known is None or next(filter(None, name.groups()), "") in known):
                yield position, "]"


def _string_or_letter(text: str, here: int) -> int | None:
    """The place behind the string, or the letter, that the quote at `here` begins; None: more text decides."""
    before = text[:here].rstrip(" \t")[-1:]
    if before not in BEFORE_STRING:
        return here + 1
    end = string_end(text, here)
    if end is None:
        return here + 1 if "\n" in text[here:] else None
    following = skip_space(text, end)
    if following >= len(text):
        return None
    return end if text[following] in AFTER_STRING else here + 1
