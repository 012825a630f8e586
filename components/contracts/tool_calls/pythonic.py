"""The `pythonic` format: a list of calls in Python's syntax.

    [calculator(expression="12*7"), weather.today(city="Oslo", days=2)]

A lone `name(a=1)` is taken as well. Names may hold spaces, dots and colons, so they are read by hand;
the values are literals. Text before the list is the thought; a turn without a list is an answer.
"""

import json
import re
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from components.contracts.records import ToolCall
from components.contracts.tool_calls.base import (
    CLOSE_REASONING,
    CallError,
    FailureReason,
    ParsedCall,
    ParsedTurn,
    ParseFailure,
    Span,
    make_failure,
    name_at,
    split_reasoning,
    whole_characters,
)
from components.contracts.tool_calls.literals import skip_space
from components.contracts.tool_calls.pythonic_arguments import read_call
from components.contracts.tool_calls.wording import describe_pythonic
from components.contracts.tool_schemas import ToolSchema, tool_name

NAME = re.compile(r"[^\W\d][^\[\](){}\"'`=,;\n]{0,199}?(?=[ \t]{0,8}\()")
ARGUMENTS = re.compile(r"\s*\(\s*(?:\)|\*\*|$|[^\W\d][\w.\-]*\s*=(?!=))")
LINE_START = re.compile(r"^[ \t]*(?=\S)", re.MULTILINE)


class PythonicFormat:
    """`[name(a=1, b="x"), other.tool(c=True)]`."""

    name = "pythonic"

    def parse(self, text: str, tools: Sequence[ToolSchema]) -> ParsedTurn:
        """Read one turn; the first line that begins a call list begins the action. Never raises."""
        text = whole_characters(text)
        reasoning, position = split_reasoning(text, _first_call(text, tools))
        start = _find_action(text, position, tools)
        if start is None:
            return ParsedTurn(thought=reasoning, answer=text[position:].strip() or None)
        calls: list[ParsedCall] = []
        failures: list[ParseFailure] = []
        end = len(text.rstrip())
        after = start
        try:
            after = _read_action(text, start, end, tools, calls)
        except CallError as error:
            begin = calls[-1].span[1] if calls else start
            failures.append(make_failure(text, (begin, end), error.reason, error.detail))
            after = end
        pieces = (reasoning, text[position:start].strip(), text[after:].strip())
        return ParsedTurn(
            thought="\n".join(piece for piece in pieces if piece),
            calls=tuple(calls),
            failures=tuple(failures),
        )

    def render(
        self, calls: Sequence[ToolCall], *, thought: str = "", tools: Sequence[ToolSchema] = ()
    ) -> str:
        """The thought (when there is one) on its own lines, then the list."""
        written = "[" + ", ".join(_render_call(call) for call in calls) + "]"
        return f"{thought}\n{written}" if thought else written

    def render_answer(self, answer: str) -> str:
        """The answer itself."""
        return answer

    def describe(self, tools: Sequence[ToolSchema], *, multi_step: bool) -> str:
        """Signatures and the list's form."""
        return describe_pythonic(tools, multi_step=multi_step)

    def stop_after(self, text: str) -> bool:
        """Always False: the model's stop token ends a turn."""
        return False

    def prefill(self, tool: ToolSchema) -> str:
        """`[name(`."""
        return f"[{tool_name(tool)}("

    def prefill_answer(self) -> str:
        """Nothing: an answer is plain text."""
        return ""


def _name_end(text: str, position: int, tools: Sequence[ToolSchema]) -> int | None:
    known = name_at(text, position, "(", tools)
    if known is not None:
        return known
    match = NAME.match(text, position)
    return match.end() if match else None


def _find_action(text: str, position: int, tools: Sequence[ToolSchema]) -> int | None:
    """Where the calls start: a line with `[name(`, or with an offered tool's `name(`.

    A name that was not offered and stands without brackets counts only when it is the whole turn, so
    that prose such as `f(x) = 2` stays an answer.
    """
    first = skip_space(text, position)
    if _is_lone_call(text, first, tools):
        return first
    for line in _line_starts(text, position):
        if text.startswith("[", line):
            if _begins_call(text, skip_space(text, line + 1), tools):
                return line
        elif name_at(text, line, "(", tools) is not None:
            return line
    return None


def _first_call(text: str, tools: Sequence[ToolSchema]) -> Span | None:
    """The first action of a text with a closing mark; it ends where it starts when it can't be read."""
    start = _find_action(text, 0, tools) if CLOSE_REASONING.search(text) else None
    if start is None:
        return None
    try:
        return start, _read_action(text, start, len(text.rstrip()), tools, [])
    except CallError:
        return start, start


def _begins_call(text: str, position: int, tools: Sequence[ToolSchema]) -> bool:
    """Whether an offered tool's `name(` stands here, or any name's with arguments behind it."""
    if name_at(text, position, "(", tools) is not None:
        return True
    match = NAME.match(text, position)
    return match is not None and ARGUMENTS.match(text, match.end()) is not None


def _line_starts(text: str, position: int) -> Iterator[int]:
    yield skip_space(text, position)
    for match in LINE_START.finditer(text, position):
        yield match.end()


def _is_lone_call(text: str, start: int, tools: Sequence[ToolSchema]) -> bool:
    name_end = _name_end(text, start, tools)
    if name_end is None:
        return False
    try:
        call = read_call(text, start, name_end, tools)
    except CallError:
        return False
    return not text[call.span[1] :].strip()


def _read_action(
    text: str, start: int, end: int, tools: Sequence[ToolSchema], calls: list[ParsedCall]
) -> int:
    """Read the list (or the lone call) at `start` into `calls`; returns the position behind it."""
    listed = text.startswith("[", start)
    position = skip_space(text, start + 1) if listed else start
    while True:
        name_end = _name_end(text, position, tools)
        if name_end is None:
            if position >= end:
                raise CallError(FailureReason.UNTERMINATED, position, "the list of calls is not closed")
            raise CallError(
                FailureReason.BAD_NAME, position, f"expected name( at {text[position : position + 20]!r}"
            )
        calls.append(read_call(text, position, name_end, tools))
        position = calls[-1].span[1]
        if not listed:
            return position
        position = skip_space(text, position)
        if text.startswith(",", position):
            position = skip_space(text, position + 1)
        elif not text.startswith("]", position):
            if position >= end:
                raise CallError(FailureReason.UNTERMINATED, position, "the list of calls is not closed")
            raise CallError(FailureReason.TRAILING_TEXT, position, "expected ',' or ']' behind a call")
        if text.startswith("]", position):
            return position + 1


def _render_call(call: ToolCall) -> str:
    pieces = (
        f"{name}={_render_value(value)}" if name.isidentifier() else f"**{_render_value({name: value})}"
        for name, value in call.arguments.items()
    )
    return f"{call.name}({', '.join(pieces)})"


def _render_value(value: JsonValue) -> str:
    """A Python literal; JSON's string escapes are Python's as well."""
    if isinstance(value, list):
        return "[" + ", ".join(_render_value(one) for one in value) + "]"
    if isinstance(value, dict):
        members = (
            f"{json.dumps(key, ensure_ascii=False)}: {_render_value(one)}" for key, one in value.items()
        )
        return "{" + ", ".join(members) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
