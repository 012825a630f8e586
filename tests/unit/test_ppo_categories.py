"""Which kind of error a response is counted as, where several calls share one score."""

from collections.abc import Sequence
from typing import Any

import pytest

from components.contracts.records import ToolCall
from components.contracts.tool_calls import get_call_format
from components.policy.engine import Conversation
from components.ppo.rewards import categorize, tool_reward
from components.ppo.samples import PromptSample

FORMAT = "pythonic"


def make_tool(name: str, *parameters: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {one: {"type": "integer"} for one in parameters}}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": schema}}


TOOLS = (make_tool("add", "x", "y"), make_tool("halve", "x"))
ADD, HALVE = {"name": "add", "arguments": {"x": 1}}, {"name": "halve", "arguments": {"x": 2}}


@pytest.mark.parametrize(
    ("golds", "made", "category"),
    [
        ([ADD], [ADD], "correct"),
        ([ADD], [HALVE], "wrong tool"),
        ([ADD], [{"name": "add", "arguments": {"x": 9}}], "wrong content"),
        ([ADD], [{"name": "add", "arguments": {"y": 1}}], "wrong parameters"),
        ([ADD], [{"name": "double", "arguments": {"x": 1}}], "unknown tool"),
        ([ADD, HALVE], [HALVE, ADD], "correct"),
        ([ADD, HALVE], [ADD], "partly right"),  # (1 - 1.5) / 2 is a wrong content's -0.25
        ([ADD], [ADD, HALVE], "partly right"),
        ([ADD, ADD], [HALVE, HALVE], "wrong tool"),
    ],
)
def test_a_mean_is_not_taken_for_a_row_of_the_table(
    golds: Sequence[dict[str, Any]], made: Sequence[dict[str, Any]], category: str
) -> None:
    sample = PromptSample("s", (1, 2), Conversation(()), TOOLS, (tuple(golds),))
    text = get_call_format(FORMAT).render([ToolCall(**call) for call in made], tools=TOOLS)
    score = tool_reward(FORMAT)(text, sample)
    assert categorize(text, sample, score, FORMAT) == category
