"""Verdicts on a single call that need a gold call to be known (TL-Training, Section 3.3)."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import JsonValue

from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError


class CallVerdict(StrEnum):
    """How a well-formed call compares with its gold call."""

    CORRECT = "correct"
    WRONG_TOOL = "wrong_tool"
    REDUNDANT_PARAMETER = "redundant_parameter"  # in the schema, but not in the gold
    MISSING_PARAMETER = "missing_parameter"  # in the gold, but not in the call
    WRONG_CONTENT = "wrong_content"


def judge_call(call: ToolCall, gold: ToolCall) -> CallVerdict:
    """The first thing wrong with `call`: tool, then missing, then redundant parameters, then values."""
    if call.name != gold.name:
        return CallVerdict.WRONG_TOOL
    if gold.arguments.keys() - call.arguments.keys():
        return CallVerdict.MISSING_PARAMETER
    if call.arguments.keys() - gold.arguments.keys():
        return CallVerdict.REDUNDANT_PARAMETER
    if all(same_value(call.arguments[name], value) for name, value in gold.arguments.items()):
        return CallVerdict.CORRECT
    return CallVerdict.WRONG_CONTENT


# TL-Training's tables know fewer, coarser categories. Two mappings and not one, because the enums
# share the wire form "missing_parameter" and would share a key.
ERROR_CATEGORY: Mapping[ToolError, str] = {
    ToolError.PARSE_FAILURE: "cannot be parsed",
    ToolError.TOOL_HALLUCINATION: "tool hallucination",
    ToolError.PARAMETER_HALLUCINATION: "parameter hallucination",
    ToolError.MISSING_PARAMETER: "missing parameter",
    ToolError.WRONG_TYPE_OR_VALUE: "wrong content",
    ToolError.TOOL_CALL_FAILURE: "call failed",
    ToolError.TOOL_INSTABILITY: "infrastructure",
    ToolError.TIMEOUT: "infrastructure",
}
VERDICT_CATEGORY: Mapping[CallVerdict, str] = {
    CallVerdict.CORRECT: "correct",
    CallVerdict.WRONG_TOOL: "wrong tool",
    CallVerdict.REDUNDANT_PARAMETER: "redundant parameter",
    CallVerdict.MISSING_PARAMETER: "missing parameter",
    CallVerdict.WRONG_CONTENT: "wrong content",
}


def same_value(value: JsonValue, gold: JsonValue) -> bool:
    """Typed equality: 1 equals 1.0, but neither True nor "1"."""
    if isinstance(value, bool) or isinstance(gold, bool):
        return isinstance(value, bool) and isinstance(gold, bool) and value == gold
    if isinstance(value, list) and isinstance(gold, list):
        return len(value) == len(gold) and all(map(same_value, value, gold))
    if isinstance(value, dict) and isinstance(gold, dict):
        return value.keys() == gold.keys() and all(same_value(value[key], gold[key]) for key in gold)
    return value == gold
