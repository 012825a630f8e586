"""Turns without a call, and turns that hold one in a form that was not asked for."""

import pytest

from components.contracts.records import ToolCall
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_schemas import parse_tools
from components.scoring.bfcl.hidden_calls import hides_call

TOOLS = parse_tools(
    """[{"type": "function", "function": {"name": "weather.get", "description": "Weather.", "parameters":
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]"""
)


@pytest.mark.parametrize("name", CALL_FORMATS)
def test_a_call_in_any_format_is_found(name: str) -> None:
    text = get_call_format(name).render(
        [ToolCall(name="weather.get", arguments={"city": "Oslo"})], tools=TOOLS
    )
    assert hides_call(text, TOOLS)
    assert hides_call(f"```json\n{text}\n```", TOOLS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        '{"name": "weather.get", "arguments": {"city": "Oslo"}}',
        '[{"name": "weather.get", "parameters": {"city": "Oslo"}}]',
        'Of course:\n```json\n{"name": "weather.get", "arguments": {"city": "Oslo"}}\n```',
        '```\n{"function": "weather.get", "args": {}}',
        '[weather.get(city="Oslo")]',
        'weather.get(city="Os',
        "I call weather.get('Oslo') now.",
        "<tool_call",
        '<tool_call>{"name": "weather.get"',
        '<function=weather.get>{"city": "Oslo"}</function>',
    ],
)
def test_calls_whole_and_begun(text: str) -> None:
    assert hides_call(text, TOOLS)


@pytest.mark.parametrize(
    "text",
    [
        "None of the tools can do that.",
        "I could use weather.get, but it does not book flights.",
        "The tool weather.get() does not book flights.",
        "The sum [1, 2] is 3.",
        "Here is code:\n```python\nprint('Hello')\n```",
        '{"answer": "no tool fits"}',
        "f(x) = 2x is a line.",
    ],
)
def test_prose_and_mentions_are_none(text: str) -> None:
    assert not hides_call(text, TOOLS)
