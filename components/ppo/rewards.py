"""Judging one response: its reward, and the kind of error in words."""

import math
from collections.abc import Callable, Mapping

from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import find_tool
from components.policy.finite import NonFiniteError
from components.ppo.reward import CORRECT, UNPAIRED, WRONG_CONTENT, tool_call_reward
from components.ppo.samples import PromptSample

Reward = Callable[[str, PromptSample], float]  # of a response's text to a sample's prompt

CATEGORIES = (
    "correct",
    "wrong content",
    "wrong parameters",
    "wrong tool",
    "partly right",
    "unknown tool",
    "cannot be parsed",
)


def tool_reward(call_format: str) -> Reward:
    """The paper's reward (see `tool_call_reward`) for responses in `call_format`."""

    def reward(text: str, sample: PromptSample) -> float:
        return tool_call_reward(text, sample.golds, sample.tools, call_format, sample=sample.id)

    return reward


def require_finite(number: float, sample: PromptSample, step: int, what: str = "the reward") -> float:
    """`number`, if it is one.

    Raises:
        NonFiniteError: it is NaN or infinite; names the step and the sample.
    """
    if not math.isfinite(number):
        raise NonFiniteError(
            f"step {step}: {what} of sample {sample.id} is {number}; stopped before the optimizer step"
        )
    return number


def categorize(text: str, sample: PromptSample, score: float, call_format: str) -> str:
    """Which of `CATEGORIES` a response is in: the row of the reward's table that it got.

    The score of several calls is a mean, which other rows' scores can make as well: (1 - 1.5) / 2 is
    -0.25. Such turns are "partly right" unless all is right, or nothing is.
    """
    turn = get_call_format(call_format).parse(text, sample.tools)
    if turn.failures or not turn.calls:
        return "cannot be parsed"
    if any(find_tool(sample.tools, parsed.call.name) is None for parsed in turn.calls):
        return "unknown tool"
    rows: Mapping[float, str] = {CORRECT: "correct", UNPAIRED: "wrong tool"}
    if len(turn.calls) > 1 or all(len(gold) > 1 for gold in sample.golds):
        return rows.get(score, "partly right")
    return {**rows, WRONG_CONTENT: "wrong content"}.get(score, "wrong parameters")
