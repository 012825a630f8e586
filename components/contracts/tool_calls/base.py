"""What every call format shares: the parsed turn, its typed failures, and the protocol.

All spans are (start, end) character offsets into the text that was given to `parse`.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from pydantic import JsonValue, ValidationError

from components.contracts.records import Record, ToolCall
from components.contracts.tool_schemas import ToolSchema, tool_name

Span = tuple[int, int]

SURROGATES = re.compile("[\ud800-\udfff]")
# Far below what a record may nest, since a call is stored several levels inside a trace.
MAX_DEPTH = 64
BLANKS = re.compile(r"[ \t]{0,8}")
OPEN_REASONING = "<think>"
CLOSE_REASONING = re.compile("</think>")
CLOSE_REASONING_LINE = re.compile(r"^[ \t]*</think>", re.MULTILINE)


class FailureReason(StrEnum):
    """Why a text that was meant as a call is not one. All of them are `ToolError.PARSE_FAILURE`."""

    UNTERMINATED = "unterminated"  # the text ends inside the call
    BAD_NAME = "bad_name"  # no tool name where one was expected
    BAD_ARGUMENTS = "bad_arguments"  # the arguments do not follow the format
    DUPLICATE_ARGUMENT = "duplicate_argument"  # one argument given twice
    TOO_DEEP = "too_deep"  # nested deeper than any tool can want
    TRAILING_TEXT = "trailing_text"  # something other than a call follows a call


class ParseFailure(Record):
    """A piece of text meant as a call that can't be parsed; `detail` is one line for the model."""

    text: str
    reason: FailureReason
    span: Span
    detail: str = ""


class ParsedCall(Record):
    """One call with the place of its name and of each argument's value (quotes included)."""

    call: ToolCall
    text: str
    span: Span
    name_span: Span
    argument_spans: dict[str, Span]


class ParsedTurn(Record):
    """One assistant turn. A turn with calls or failures has no answer; an empty one has neither."""

    thought: str = ""
    calls: tuple[ParsedCall, ...] = ()
    answer: str | None = None
    failures: tuple[ParseFailure, ...] = ()


class CallError(Exception):
    """Raised inside the parsers only; becomes a ParseFailure. `position` is where it was noticed."""

    def __init__(self, reason: FailureReason, position: int, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.position = position
        self.detail = detail


class CallFormat(Protocol):
    """How calls look in an assistant's text."""

    name: str

    def parse(self, text: str, tools: Sequence[ToolSchema]) -> ParsedTurn:
        """Read one assistant turn. Never raises for any text; time is linear in its length.

        tools: the offered tools. Calls of others are parsed all the same (see `validate_call`).
        """
        ...

    def render(
        self, calls: Sequence[ToolCall], *, thought: str = "", tools: Sequence[ToolSchema] = ()
    ) -> str:
        """Write calls so that `parse` with the same tools gives them back, ids apart."""
        ...

    def render_answer(self, answer: str) -> str:
        """Write a turn that answers."""
        ...

    def describe(self, tools: Sequence[ToolSchema], *, multi_step: bool) -> str:
        """System-prompt text that shows the tools and teaches the format without an example call."""
        ...

    def stop_after(self, text: str) -> bool:
        """True once `text`, the turn so far, holds one complete action: generation can stop."""
        ...

    def prefill(self, tool: ToolSchema) -> str:
        """The beginning of a turn that calls this tool, up to where its arguments start."""
        ...

    def prefill_answer(self) -> str:
        """The beginning of a turn that answers; empty where an answer is plain text."""
        ...


def make_failure(text: str, span: Span, reason: FailureReason, detail: str) -> ParseFailure:
    """A failure over a span of the turn's text."""
    return ParseFailure(text=text[span[0] : span[1]], reason=reason, span=span, detail=detail)


def make_call(
    text: str,
    span: Span,
    name_span: Span,
    arguments: dict[str, JsonValue],
    argument_spans: dict[str, Span],
    *,
    name: str | None = None,
) -> ParsedCall:
    """A parsed call over a span of the turn's text; its name is the text at `name_span` unless given.

    Raises:
        CallError: the values are nested deeper than a record can hold.
    """
    written = text[name_span[0] : name_span[1]] if name is None else name
    if _is_deeper_than(arguments, MAX_DEPTH + 1):
        raise CallError(FailureReason.TOO_DEEP, span[0], f"nested deeper than {MAX_DEPTH}")
    try:
        call = ToolCall(name=written, arguments=arguments)
    except ValidationError as error:
        raise CallError(FailureReason.TOO_DEEP, span[0], "the arguments can't be held by a record") from error
    return ParsedCall(
        call=call, text=text[span[0] : span[1]], span=span, name_span=name_span, argument_spans=argument_spans
    )


def _is_deeper_than(value: JsonValue, depth: int) -> bool:
    """Whether lists and objects are nested more than `depth` levels; walks level by level."""
    level = [value]
    for _ in range(depth + 1):
        inner: list[JsonValue] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        if not inner:
            return False
        level = inner
    return True


def whole_characters(text: str) -> str:
    """The text with each half of a surrogate pair, which no record can hold, replaced; same length."""
    return SURROGATES.sub("\ufffd", text)


def split_reasoning(text: str, first_call: Span | None = None) -> tuple[str, int]:
    """A leading `<think>...</think>` block and where the turn proper starts.

    A template may have opened the block itself, so the closing mark alone is enough. But behind the
    beginning of `first_call` it may be part of an argument: there it has to start a line, and may not
    stand inside the call. A block that is opened and never closed takes the whole turn.

    first_call: where the text, read without any block, first calls. Its end may be given as its start
    where the format's strings hold no line breaks.
    """
    start = len(text) - len(text.lstrip())
    opened = text.startswith(OPEN_REASONING, start)
    begin = start + len(OPEN_REASONING) if opened else 0
    close = CLOSE_REASONING.search(text, begin)
    if close and first_call and not opened and close.start() >= first_call[0]:
        close = CLOSE_REASONING_LINE.search(text, first_call[1])
    if close is None:
        return (text[begin:].strip(), len(text)) if opened else ("", 0)
    return text[begin : close.start()].strip(), close.end()


def name_at(text: str, position: int, opening: str, tools: Sequence[ToolSchema]) -> int | None:
    """Where the offered tool's name that stands at `position` ends, if `opening` follows it.

    The longest such name wins, so that names may hold any character, even the opening bracket.
    """
    best: int | None = None
    for tool in tools:
        end = position + len(tool_name(tool))
        if text.startswith(tool_name(tool), position) and (best is None or end > best):
            after = BLANKS.match(text, end)
            if text.startswith(opening, after.end() if after else end):
                best = end
    return best
