"""Where a growing text may be cut into steps: behind sentences and calls, and inside calls behind their arguments.

A place counts once a character other than white space stands behind it, so that what closes a turn stays with its last
step, and no later text changes what was found. What stands in quotes or deeper brackets is inside a value. The rules
are those of `contracts.tool_calls`; of a call that breaks them, a step may be the whole rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from components.contracts.tool_calls import hermes, llama3_json, paper, pythonic
from components.contracts.tool_calls.base import OPEN_REASONING, name_at
from components.contracts.tool_calls.literals import skip_space
from components.contracts.tool_schemas import ToolSchema, tool_name
from components.mcts.call_boundaries import (
    Growth,
    Scan,
    next_letter,
    scan_json_call,
    scan_paper_arguments,
    scan_python_arguments,
)
from components.mcts.settings import StepKind

SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s)|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d]*|\n")
LIST_NUMBER = re.compile(r"\s*\d+\.\Z")
FindCall = Callable[[str, int], int | None]


class Boundaries:
    """Reads a growing text. `scan` yields (place, letters that may not follow it), or None to wait for more text."""

    def __init__(self, growth: Growth, scan: Scan[None]) -> None:
        self._growth = growth
        self._scan = scan
        self._waiting: tuple[int, str] | None = None

    def read(self, text: str) -> list[int]:
        """The places found since the last call, ascending. text: the earlier one and perhaps more."""
        self._growth.text = text
        found: list[int] = []
        while True:
            if self._waiting is None:
                self._waiting = next(self._scan, None)
            if self._waiting is None:
                return found
            place, refused = self._waiting
            following = skip_space(text, place)
            if following >= len(text):
                return found
            if text[following] not in refused:
                found.append(place)
            self._waiting = None


def find_boundaries(call_format: str, kind: StepKind, tools: Sequence[ToolSchema] = ()) -> Boundaries:
    """What reads a turn of that call format. kind: "call", or "argument" to cut inside calls, too."""
    growth = Growth()
    scans = {
        hermes.HermesFormat.name: _scan_hermes,
        llama3_json.Llama3JsonFormat.name: _scan_llama3,
        pythonic.PythonicFormat.name: _scan_pythonic,
        paper.PaperFormat.name: _scan_paper,
    }
    return Boundaries(growth, scans[call_format](growth, kind == "argument", tools))


def _scan_hermes(growth: Growth, inside: bool, tools: Sequence[ToolSchema]) -> Scan[None]:
    position = yield from _scan_reasoning(growth)
    while True:
        start = yield from _scan_prose(growth, position, lambda text, begin: _find(text, hermes.OPEN, begin))
        position = yield from scan_json_call(growth, start + len(hermes.OPEN), inside, close=hermes.CLOSE)
        yield position, ""


def _scan_llama3(growth: Growth, inside: bool, tools: Sequence[ToolSchema]) -> Scan[None]:
    position = yield from _scan_reasoning(growth)
    position = yield from next_letter(growth, position)
    tag = llama3_json.PYTHON_TAG
    while tag.startswith(growth.text[position:]):
        yield None
    if growth.text.startswith(tag, position):
        position = yield from next_letter(growth, position + len(tag))
    while growth.text[position] == "{":
        end = yield from scan_json_call(growth, position, inside)
        position = yield from next_letter(growth, end)
        if growth.text[position] == ";":
            end = position + 1
            position = yield from next_letter(growth, end)
        yield end, ""
    yield from _scan_prose(growth, position, lambda text, begin: None)


def _scan_pythonic(growth: Growth, inside: bool, tools: Sequence[ToolSchema]) -> Scan[None]:
    first = position = yield from _scan_reasoning(growth)

    def find_calls(text: str, begin: int) -> int | None:
        starts = [skip_space(text, first)] if begin == first else []
        starts += [match.end() for match in pythonic.LINE_START.finditer(text, begin)]
        return next((start for start in starts if _begins_call(text, start, tools)), None)

    while True:
        start = yield from _scan_prose(growth, position, find_calls)
        position = yield from _scan_python_calls(growth, start, inside, tools)


def _begins_call(text: str, start: int, tools: Sequence[ToolSchema]) -> bool:
    if not text.startswith("[", start):
        return name_at(text, start, "(", tools) is not None
    name = skip_space(text, start + 1)
    return name_at(text, name, "(", tools) is not None or pythonic.NAME.match(text, name) is not None


def _scan_python_calls(growth: Growth, start: int, inside: bool, tools: Sequence[ToolSchema]) -> Scan[int]:
    listed = growth.text.startswith("[", start)
    position = start + 1 if listed else start
    while True:
        position = yield from next_letter(growth, position)
        if growth.text[position] == "]":
            return position + 1
        opening = yield from _scan_name(growth, position, "(", tools)
        if opening is None:
            return position
        if inside:
            yield opening + 1, ")"
        end = yield from scan_python_arguments(growth, opening, inside)
        following = yield from next_letter(growth, end)
        if listed and growth.text[following] == ",":
            position = following + 1
            yield position, "]"
            continue
        if listed and growth.text[following] == "]":
            end = following + 1
        yield end, ""
        return end


def _scan_paper(growth: Growth, inside: bool, tools: Sequence[ToolSchema]) -> Scan[None]:
    def find_action(text: str, begin: int) -> int | None:
        labels = paper.LABEL.finditer(text, begin)
        return next((label.start() for label in labels if label.group(1) == "Action"), None)

    position = 0
    while True:
        start = yield from _scan_prose(growth, position, find_action)
        label = paper.LABEL.match(growth.text, start)
        name = yield from next_letter(growth, label.end() if label else start)
        opening = yield from _scan_name(growth, name, "[", tools)
        if opening is None:
            position = name
            continue
        if inside:
            yield opening + 1, "]"
        called = growth.text[name:opening].strip()
        position = yield from scan_paper_arguments(growth, opening, inside, called, tools)
        yield position, ""


def _scan_reasoning(growth: Growth) -> Scan[int]:
    """The sentences of a leading `<think>` block; returns where the turn proper starts."""
    start = yield from next_letter(growth, 0)
    while growth.text[start:] != OPEN_REASONING and OPEN_REASONING.startswith(growth.text[start:]):
        yield None
    if not growth.text.startswith(OPEN_REASONING, start):
        return 0
    close = "</think>"
    begin = start + len(OPEN_REASONING)
    end = yield from _scan_prose(growth, begin, lambda text, position: _find(text, close, position))
    return end + len(close)


def _scan_prose(growth: Growth, begin: int, find_call: FindCall) -> Scan[int]:
    """Sentences and lines; returns where a call begins."""
    position = begin
    while True:
        text = growth.text
        call = find_call(text, begin)
        end = SENTENCE_END.search(text, position)
        if end is not None and (call is None or end.end() <= call):
            place = end.start() if end.group() == "\n" else end.end()
            position = end.end()
            # A list's number goes on with its item.
            if LIST_NUMBER.match(text[begin:place]):
                continue
            if text[begin:place].strip():
                yield place, ""
            begin = position
        elif call is not None:
            if text[begin:call].strip():
                yield call, ""
            return call
        else:
            yield None


def _scan_name(growth: Growth, position: int, bracket: str, tools: Sequence[ToolSchema]) -> Scan[int | None]:
    """Where the bracket behind the name at `position` is; None when the line has none."""
    while True:
        text = growth.text
        end = name_at(text, position, bracket, tools)
        if end is not None:
            return text.index(bracket, end)
        opening, line_end = _find(text, bracket, position), _find(text, "\n", position)
        # The bracket may be part of a longer name that isn't there yet.
        if not any(tool_name(tool).startswith(text[position:]) for tool in tools):
            if opening is not None and (line_end is None or opening < line_end):
                return opening
            if line_end is not None:
                return None
        yield None


def _find(text: str, mark: str, begin: int) -> int | None:
    place = text.find(mark, begin)
    return None if place < 0 else place
