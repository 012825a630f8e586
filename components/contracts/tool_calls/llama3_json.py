"""The `llama3_json` format: a whole turn of JSON calls, as Llama 3 models write them.

    {"name": "calculator", "parameters": {"expression": "12*7"}}

Several calls are separated by `;`. A turn that does not begin with such an object is an answer.
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
    make_failure,
    split_reasoning,
    whole_characters,
)
from components.contracts.tool_calls.json_calls import read_json_call, read_members, render_json_call
from components.contracts.tool_calls.literals import skip_space
from components.contracts.tool_calls.wording import describe_json
from components.contracts.tool_schemas import ToolSchema, tool_name

PYTHON_TAG = "<|python_tag|>"
FORM = 'only {"name": tool, "parameters": {parameter: value}}'
SEPARATORS = re.compile(r"[\s;]*")
NAME_KEY = re.compile(r'\{\s*"(?:name|parameters|arguments)?(?:"|$)')


class Llama3JsonFormat:
    """`{"name": ..., "parameters": {...}}`, the whole turn; `arguments` is understood as well."""

    name = "llama3_json"

    def parse(self, text: str, tools: Sequence[ToolSchema]) -> ParsedTurn:
        """Read one turn. Text behind the calls is a failure; JSON that names no tool is an answer."""
        text = whole_characters(text)
        first = _skip_tag(text, 0)
        thought, position = split_reasoning(text, (first, first) if _begins_call(text, first) else None)
        position = _skip_tag(text, position)
        if not _begins_call(text, position):
            return ParsedTurn(thought=thought, answer=text[position:].strip() or None)
        calls: list[ParsedCall] = []
        failures: list[ParseFailure] = []
        end = len(text.rstrip())
        while position < end:
            try:
                if not text.startswith("{", position):
                    raise CallError(FailureReason.TRAILING_TEXT, position, "expected another call or nothing")
                calls.append(read_json_call(text, position, ("parameters", "arguments")))
                following = SEPARATORS.match(text, calls[-1].span[1])
                position = following.end() if following else end
            except CallError as error:
                failures.append(make_failure(text, (position, end), error.reason, error.detail))
                break
        return ParsedTurn(thought=thought, calls=tuple(calls), failures=tuple(failures))

    def render(
        self, calls: Sequence[ToolCall], *, thought: str = "", tools: Sequence[ToolSchema] = ()
    ) -> str:
        """The calls, separated by `; `. The format has no room for a thought, so it is left out."""
        return "; ".join(render_json_call(call, "parameters") for call in calls)

    def render_answer(self, answer: str) -> str:
        """The answer itself."""
        return answer

    def describe(self, tools: Sequence[ToolSchema], *, multi_step: bool) -> str:
        """The schemas and the call's form."""
        return describe_json(tools, FORM, multi_step=multi_step)

    def stop_after(self, text: str) -> bool:
        """Always False: the model's stop token ends a turn."""
        return False

    def prefill(self, tool: ToolSchema) -> str:
        """The object up to the brace that opens the parameters."""
        return f'{{"name": {json.dumps(tool_name(tool), ensure_ascii=False)}, "parameters": {{'

    def prefill_answer(self) -> str:
        """Nothing: an answer is plain text."""
        return ""


def _skip_tag(text: str, position: int) -> int:
    """Behind the blanks and the tag, if any, that the calls may follow."""
    position = skip_space(text, position)
    return skip_space(text, position + len(PYTHON_TAG)) if text.startswith(PYTHON_TAG, position) else position


def _begins_call(text: str, position: int) -> bool:
    """Whether the object here is meant as a call: it has a name, or its first key is one of a call's."""
    if not text.startswith("{", position):
        return False
    try:
        members, _ = read_members(text, position)
    except CallError:
        return NAME_KEY.match(text, position) is not None
    return "name" in members and ("parameters" in members or "arguments" in members or len(members) == 1)
