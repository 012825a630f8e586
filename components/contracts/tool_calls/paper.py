"""The `paper` format: the four labelled fields of self-training without demonstrations.

    Thought: what is to be found out
    Action: calculator[12*(3+4)]
    Rationale: what the reply means
    Answer: 84

A call is `tool[argument]`: the text goes to the tool's first required parameter. Several arguments are
named: `tool[a=1, b="x"]`. Brackets are matched by nesting; a quote that opens a value hides those
inside. Only an Action field is ever read for calls.
"""

import json
import re
from collections.abc import Sequence

from components.contracts.records import ToolCall
from components.contracts.tool_calls.base import (
    CallError,
    FailureReason,
    ParsedCall,
    ParsedTurn,
    ParseFailure,
    make_call,
    make_failure,
    name_at,
    whole_characters,
)
from components.contracts.tool_calls.literals import skip_space, string_end
from components.contracts.tool_calls.paper_arguments import read_arguments
from components.contracts.tool_calls.wording import describe_paper
from components.contracts.tool_schemas import (
    NAME_LIMIT,
    ToolSchema,
    find_tool,
    primary_parameter,
    tool_name,
    tool_parameters,
)

LABEL = re.compile(r"^[ \t]*(Thought|Action|Rationale|Answer)[ \t]*:", re.MULTILINE)
NAME = re.compile(r"[^\[\]{}\"'`,;\n]{1,200}?(?=[ \t]{0,8}\[)")
MARKS = re.compile(r"[\[\]\"']")
BEFORE_STRING = frozenset("[({,=:")
AFTER_STRING = frozenset("])},:=")
NO_ACTION = frozenset({"", "none", "none.", "n/a", "null", "nothing", "nothing.", "no action", "-"})
SEPARATORS = re.compile(r"[\s,;]*")
DEBRIS = re.compile(r"[^\w\s]*(?=\s|$)")  # small models close a call like a sentence, or twice: "]:", "]["


class PaperFormat:
    """Thought / Action / Rationale / Answer."""

    name = "paper"

    def parse(self, text: str, tools: Sequence[ToolSchema]) -> ParsedTurn:
        """Read one turn; whichever of Action and Answer has content first decides what it is.

        A turn without any field is an answer. Never raises.
        """
        text = whole_characters(text)
        first = LABEL.search(text)
        if first is None:
            return ParsedTurn(answer=text.strip() or None)
        thought = [text[: first.start()].strip()]
        calls: list[ParsedCall] = []
        failures: list[ParseFailure] = []
        answer: str | None = None
        label: re.Match[str] | None = first
        while label is not None:
            if label.group(1) == "Action":
                end = _read_action(text, label.end(), tools, calls, failures)
            else:
                end = label.end()
            following = LABEL.search(text, end)
            content = text[label.end() : following.start() if following else len(text)].strip()
            if label.group(1) == "Thought":
                thought.append(content)
            elif label.group(1) == "Answer" and content:
                answer = None if calls or failures else content
                break
            label = following
        return ParsedTurn(
            thought="\n".join(piece for piece in thought if piece),
            calls=tuple(calls),
            answer=answer,
            failures=tuple(failures),
        )

    def render(
        self, calls: Sequence[ToolCall], *, thought: str = "", tools: Sequence[ToolSchema] = ()
    ) -> str:
        """`Thought: ...` (when there is one) and `Action: tool[...]`, one line a call.

        A lone text argument is written bare when parsing brings the same call back. Without `tools` it
        is taken for the tool's first required parameter.
        """
        head = f"Thought: {thought}\n" if thought else ""
        return f"{head}Action: " + "\n".join(self._render_call(call, tools) for call in calls)

    def render_answer(self, answer: str) -> str:
        """`Answer: ...`."""
        return f"Answer: {answer}"

    def describe(self, tools: Sequence[ToolSchema], *, multi_step: bool) -> str:
        """The fields, the tools and the call's form, in few words."""
        return describe_paper(tools, multi_step=multi_step)

    def stop_after(self, text: str) -> bool:
        """True once the first call of the first Action field is closed, or the line of an Answer has ended.

        Cheap enough for every token.
        """
        if "]" not in text and "\n" not in text:
            return False
        label = LABEL.search(text)
        while label is not None and label.group(1) not in ("Action", "Answer"):
            label = LABEL.search(text, label.end())
        if label is None:
            return False
        if label.group(1) == "Answer":
            return "\n" in text[label.end() :].lstrip()
        following = LABEL.search(text, label.end())
        limit = following.start() if following else len(text)
        opening = text.find("[", label.end(), limit)
        return opening >= 0 and _closing(text, opening, limit, partial=True) is not None

    def prefill(self, tool: ToolSchema) -> str:
        """`Action: tool[parameter =`: naming the parameter tells a small model what belongs there.

        No space at the end: tokenizers write it as part of the word that follows.
        """
        parameter = primary_parameter(tool)
        return f"Action: {tool_name(tool)}[{parameter} =" if parameter else f"Action: {tool_name(tool)}["

    def prefill_answer(self) -> str:
        """`Answer:`."""
        return "Answer:"

    def _render_call(self, call: ToolCall, tools: Sequence[ToolSchema]) -> str:
        if len(call.arguments) == 1:
            ((name, value),) = call.arguments.items()
            bare = f"{call.name}[{value}]"
            if isinstance(value, str) and self._means(bare, call, tools, name):
                return bare
        tool = find_tool(tools, call.name)
        known = tool_parameters(tool).keys() if tool else call.arguments.keys()
        # Quoted, a key is one even where the tool has no such parameter.
        quoted = call.arguments.keys().isdisjoint(known)
        arguments = ", ".join(
            f"{_key(name, quoted=quoted)}={json.dumps(value, ensure_ascii=False)}"
            for name, value in call.arguments.items()
        )
        return f"{call.name}[{arguments}]"

    def _means(self, written: str, call: ToolCall, tools: Sequence[ToolSchema], name: str) -> bool:
        text = f"Action: {written}"
        parsed = self.parse(text, tools)
        if (
            not self.stop_after(text)
            or len(parsed.calls) != 1
            or parsed.failures
            or parsed.calls[0].call.name != call.name
        ):
            return False
        got = parsed.calls[0].call.arguments
        return got == call.arguments if tools else list(got.values()) == [call.arguments[name]]


def _key(name: str, *, quoted: bool) -> str:
    return name if name.isidentifier() and not quoted else json.dumps(name, ensure_ascii=False)


def _read_action(
    text: str,
    position: int,
    tools: Sequence[ToolSchema],
    calls: list[ParsedCall],
    failures: list[ParseFailure],
) -> int:
    """Read the calls of one Action field, which a label at the start of a line ends; returns its end."""
    label = LABEL.search(text, position)
    limit = label.start() if label else len(text)
    if text[position:limit].strip().lower() in NO_ACTION:
        return limit
    while True:
        separator = SEPARATORS.match(text, position, limit)
        start = separator.end() if separator else position
        if start >= limit:
            return limit
        try:
            call = _read_call(text, start, limit, tools)
        except CallError as error:
            whole = error.reason in (FailureReason.UNTERMINATED, FailureReason.BAD_NAME)
            position = start + len(text[start:limit].rstrip()) if whole else error.position
            failures.append(make_failure(text, (start, position), error.reason, error.detail))
            continue
        calls.append(call)
        debris = DEBRIS.match(text, call.span[1], limit)
        position = debris.end() if debris else call.span[1]


def _read_call(text: str, start: int, limit: int, tools: Sequence[ToolSchema]) -> ParsedCall:
    """The call at `start`. A failure that leaves the rest readable has its position behind the call."""
    name_end = name_at(text, start, "[", tools)
    if name_end is None:
        match = NAME.match(text, start, min(limit, start + NAME_LIMIT + 1))
        if match is None:
            raise CallError(FailureReason.BAD_NAME, start, "expected tool[argument]")
        name_end = match.end()
    opening = skip_space(text, name_end)
    closing = _closing(text, opening, limit)
    if closing is None:
        raise CallError(FailureReason.UNTERMINATED, limit, "the call's bracket is not closed")
    name = text[start:name_end]
    try:
        arguments, spans = read_arguments(text, (opening + 1, closing), name, tools)
        return make_call(text, (start, closing + 1), (start, name_end), arguments, spans)
    except CallError as error:
        raise CallError(error.reason, closing + 1, error.detail) from error


def _closing(text: str, opening: int, limit: int, *, partial: bool = False) -> int | None:
    """The bracket that closes the one at `opening`.

    A quote is a string's only where a value can start, and when it closes on its line before something
    that can follow a value: an apostrophe is just a letter. `partial`: more text may come, which
    decides whether a string that is open on the last line, or that just closed, is one.
    """
    depth = 0
    position = opening
    while True:
        mark = MARKS.search(text, position, limit)
        if mark is None:
            return None
        here = mark.start()
        position = here + 1
        if mark.group() == "[":
            depth += 1
        elif mark.group() == "]":
            depth -= 1
            if depth == 0:
                return here
        elif _last_character(text, here) in BEFORE_STRING:
            end = string_end(text, here)
            if end is None or end > limit:
                if partial and text.find("\n", here, limit) < 0:
                    return None
                continue
            following = skip_space(text, end)
            if partial and following >= limit:
                return None
            if following < limit and text[following] in AFTER_STRING:
                position = end


def _last_character(text: str, position: int) -> str:
    while position > 0 and text[position - 1] in " \t":
        position -= 1
    return text[position - 1] if position else ""
