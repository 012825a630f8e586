"""Which tool, if any, the first turn of a sample begins with.

The choice depends on the sample's number (or on a seed) and on the offered tools, never on the
question's kind or its gold, so that it can't leak which tool is right.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

from components.contracts.records import Question
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema, find_tool, tool_name
from components.rollout.settings import RolloutSettings


def first_prefill(
    question: Question,
    sample: int,
    tools: Sequence[ToolSchema],
    call_format: str,
    settings: RolloutSettings,
) -> str:
    """The text that the first turn of a sample begins with; empty for a free one. tools: those on offer."""
    seed = sample_seed(settings.seed, question.id, sample, "prefill")
    chosen = choose_prefill(settings.prefill, [tool_name(tool) for tool in tools], sample=sample, seed=seed)
    beginning = find_tool(tools, chosen) if chosen else None
    return get_call_format(call_format).prefill(beginning) if beginning else ""


def choose_prefill(
    mode: Literal["none", "action", "sampled_action"],
    tools: Sequence[str],
    *,
    sample: int,
    seed: int,
) -> str | None:
    """The name of the tool whose action is prefilled, or None for a free first turn.

    tools: names on offer. `action`: sample i takes option i mod (1 + len(tools)) of (none, *tools).
    `sampled_action`: an option drawn with `seed` (see `sample_seed`).
    """
    if mode == "none" or not tools:
        return None
    options = (None, *tools)
    return options[(sample if mode == "action" else seed) % len(options)]


def sample_seed(seed: int, question_id: str, sample: int, purpose: str = "") -> int:
    """A 63-bit seed that depends on nothing but its arguments."""
    text = f"{seed}\x1f{question_id}\x1f{sample}\x1f{purpose}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
