"""The `hermes` format: JSON calls between marks, as Hermes and Qwen models write them.

    <tool_call>
    {"name": "calculator", "arguments": {"expression": "12*7"}}
    </tool_call>

Text around the blocks is the thought; a turn without any block is an answer.
"""

import json
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
from components.contracts.tool_calls.json_calls import read_json_call, render_json_call
from components.contracts.tool_calls.literals import skip_space
from components.contracts.tool_calls.wording import describe_json
from components.contracts.tool_schemas import ToolSchema, tool_name

OPEN = "<tool_call>"
CLOSE = "</tool_call>"
FORM = f'{OPEN}{{"name": tool, "arguments": {{parameter: value}}}}{CLOSE}'


class HermesFormat:
    """`<tool_call>{...}</tool_call>` blocks."""

    name = "hermes"

    def parse(self, text: str, tools: Sequence[ToolSchema]) -> ParsedTurn:
        """Read one turn. Blocks inside a leading `<think>` block are not calls. Never raises."""
        text = whole_characters(text)
        first = _found(text, OPEN, 0)
        reasoning, position = split_reasoning(text, (first, first))
        outside: list[str] = [reasoning]
        calls: list[ParsedCall] = []
        failures: list[ParseFailure] = []
        close = -1
        while (start := text.find(OPEN, position)) >= 0:
            outside.append(text[position:start].strip())
            try:
                call = read_json_call(text, skip_space(text, start + len(OPEN)), ("arguments",))
                end = skip_space(text, call.span[1])
                if not text.startswith(CLOSE, end):
                    reason = FailureReason.TRAILING_TEXT if end < len(text) else FailureReason.UNTERMINATED
                    raise CallError(reason, end, f"expected {CLOSE} behind the call")
                calls.append(call)
                position = end + len(CLOSE)
            except CallError as error:
                # The block ends at its closing mark, or before the next block, or with the text.
                if close < start:
                    close = _found(text, CLOSE, start)
                following = _found(text, OPEN, start + len(OPEN))
                position = min(close + len(CLOSE), following, len(text))
                failures.append(make_failure(text, (start, position), error.reason, error.detail))
        outside.append(text[position:].strip())
        content = "\n".join(piece for piece in outside if piece)
        if calls or failures:
            return ParsedTurn(thought=content, calls=tuple(calls), failures=tuple(failures))
        return ParsedTurn(thought=reasoning, answer=text[position:].strip() or None)

    def render(
        self, calls: Sequence[ToolCall], *, thought: str = "", tools: Sequence[ToolSchema] = ()
    ) -> str:
        """The thought (when there is one), then one block a call."""
        blocks = [f"{OPEN}\n{render_json_call(call, 'arguments')}\n{CLOSE}" for call in calls]
        return "\n".join([thought, *blocks] if thought else blocks)

    def render_answer(self, answer: str) -> str:
        """The answer itself."""
        return answer

    def describe(self, tools: Sequence[ToolSchema], *, multi_step: bool) -> str:
        """The schemas and the block's form."""
        return describe_json(tools, FORM, multi_step=multi_step)

    def stop_after(self, text: str) -> bool:
        """Always False: the model's stop token ends a turn."""
        return False

    def prefill(self, tool: ToolSchema) -> str:
        """The block up to the brace that opens the arguments."""
        return f'{OPEN}\n{{"name": {json.dumps(tool_name(tool), ensure_ascii=False)}, "arguments": {{'

    def prefill_answer(self) -> str:
        """Nothing: an answer is plain text."""
        return ""


def _found(text: str, mark: str, start: int) -> int:
    """Where `mark` is from `start` on; the text's length when it is not there."""
    position = text.find(mark, start)
    return len(text) if position < 0 else position
