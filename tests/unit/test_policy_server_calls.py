"""A server's structured calls as a turn of text: every call is there, read back as it was, or seen to be broken."""

from typing import Any

import pytest

from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.policy.server_calls import turn_text
from tests.traces import CALCULATOR

GOOD = {"name": "calculator", "arguments": '{"expression": "1 + 1"}'}
BROKEN = {"name": "calculator", "arguments": '{"expression": '}


def message(*functions: dict[str, str], said: str = "") -> dict[str, Any]:
    return {"content": said, "tool_calls": [{"type": "function", "function": one} for one in functions]}


@pytest.mark.parametrize("name", CALL_FORMATS)
@pytest.mark.parametrize("said", ["", "Let me see.", "Action: none </think> ```"])
def test_calls_are_read_back(name: str, said: str) -> None:
    form = get_call_format(name)
    parsed = form.parse(turn_text(message(GOOD, said=said), form, [CALCULATOR]), [CALCULATOR])
    assert [(one.call.name, one.call.arguments) for one in parsed.calls] == [
        ("calculator", {"expression": "1 + 1"})
    ]
    assert not parsed.failures


@pytest.mark.parametrize("functions", [(GOOD, BROKEN), (BROKEN, GOOD)])
def test_a_broken_call_leaves_the_others_there(functions: tuple[dict[str, str], ...]) -> None:
    form = get_call_format("hermes")
    parsed = form.parse(turn_text(message(*functions), form, [CALCULATOR]), [CALCULATOR])
    assert [one.call.arguments for one in parsed.calls] == [{"expression": "1 + 1"}]
    assert len(parsed.failures) == 1


@pytest.mark.parametrize("name", CALL_FORMATS)
def test_a_broken_call_alone_is_a_failure(name: str) -> None:
    form = get_call_format(name)
    parsed = form.parse(turn_text(message(BROKEN), form, [CALCULATOR]), [CALCULATOR])
    assert parsed.failures
    assert not parsed.calls
