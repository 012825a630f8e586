"""Which tool, if any, the first turn of a sample begins with.

The choice depends on the sample's number (or on a seed) and on the offered tools, never on the
question's kind or its gold, so that it can't leak which tool is right.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal


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
