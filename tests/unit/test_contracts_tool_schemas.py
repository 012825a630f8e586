"""Tool schemas: validated when read, calls checked against them in a fixed order."""

import json

import pytest

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import explain_call, parse_tools, primary_parameter, validate_call

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "unit": {"type": "string", "enum": ["C", "F"]},
                "city": {"type": "string"},
                "days": {"type": ["integer", "null"]},
                "exact": {"type": "bool"},
                "hours": {"type": "array", "items": {"type": "number"}},
                "more": {},
            },
            "required": ["city"],
        },
    },
}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"city": "Oslo"}, None),
        (
            {"city": "Oslo", "days": None, "exact": True, "hours": [1, 2.5], "more": {"x": 1}, "unit": "C"},
            None,
        ),
        ({"city": "Oslo", "days": 2.0}, None),
        ({}, ToolError.MISSING_PARAMETER),
        ({"days": 1}, ToolError.MISSING_PARAMETER),
        ({"town": "Oslo"}, ToolError.PARAMETER_HALLUCINATION),
        ({"city": 5}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Oslo", "days": 2.5}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Oslo", "days": True}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Oslo", "unit": "K"}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Oslo", "hours": [1, "2"]}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Oslo", "exact": 1}, ToolError.WRONG_TYPE_OR_VALUE),
    ],
)
def test_calls_are_checked(arguments: dict[str, object], error: ToolError | None) -> None:
    call = ToolCall.model_validate({"name": "weather", "arguments": arguments})
    assert validate_call(call, [WEATHER]) is error


def test_an_unknown_tool_is_a_hallucination_and_explained() -> None:
    call = ToolCall(name="wether", arguments={})
    assert explain_call(call, [WEATHER]) == (ToolError.TOOL_HALLUCINATION, "there is no tool named 'wether'")


def test_reading_tools() -> None:
    assert parse_tools(json.dumps([WEATHER])) == (WEATHER,)
    assert primary_parameter(WEATHER) == "city"
    assert primary_parameter({"function": {"name": "now"}}) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "tools: not JSON"),
        ("[" * 100_000, "tools: not JSON"),
        ("{}", "expected a JSON array"),
        ("[5]", r"tools\[0\]: expected"),
        ('[{"function": {"name": ""}}]', r"tools\[0\]\.function\.name"),
        ('[{"function": {"name": "a\\nb"}}]', r"tools\[0\]\.function\.name"),
        (
            '[{"function": {"name": "a"}}, {"function": {"name": "a"}}]',
            r"tools\[1\]\.function\.name: 'a' is there twice",
        ),
        ('[{"function": {"name": "a", "parameters": []}}]', None),
        ('[{"function": {"name": "a", "parameters": 5}}]', r"function\.parameters"),
        ('[{"function": {"name": "a", "parameters": {"required": "x"}}}]', r"parameters\.required"),
    ],
)
def test_bad_tool_lists_are_named(text: str, message: str | None) -> None:
    if message is None:
        assert parse_tools(text)
        return
    with pytest.raises(InputError, match=message):
        parse_tools(text)
