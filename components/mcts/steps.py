"""Where steps end in an assistant's turn, on its own tokens: text is looked at, and never joined again.

A boundary is a place in the text (`boundaries`). The step's last token is the one that writes the last character before
it, whatever else that token writes, so the steps' ids one behind the other are the turn's ids.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from components.contracts.tool_schemas import ToolSchema
from components.mcts.boundaries import find_boundaries
from components.mcts.settings import StepKind
from components.policy.offsets import Decode, TextGrower

if TYPE_CHECKING:
    from components.policy.chat import Chat


class StepCutter:
    """Takes a turn's tokens one at a time and says where steps end.

    decode: ids to text, no stop token among them.
    """

    def __init__(
        self, decode: Decode, call_format: str, kind: StepKind, tools: Sequence[ToolSchema] = ()
    ) -> None:
        self._grower = TextGrower(decode)
        self._boundaries = find_boundaries(call_format, kind, tools)
        self._starts: list[int] = []
        self._ends: list[int] = []

    @property
    def ends(self) -> list[int]:
        """Numbers of tokens behind which a step ends and something follows, ascending; no later token changes them."""
        return [end for end in self._ends if end < len(self._starts)]

    @property
    def text(self) -> str:
        """The text so far, without a letter whose bytes aren't complete."""
        return self._grower.text

    def add(self, token_id: int) -> None:
        """Take one more token."""
        self._starts.append(len(self._grower.text))
        text = self._grower.add(token_id)
        for boundary in self._boundaries.read(text):
            end = bisect_left(self._starts, boundary)
            # Two boundaries in one token are one.
            if not self._ends or end > self._ends[-1]:
                self._ends.append(end)


def cut_turn(
    token_ids: Sequence[int],
    chat: Chat,
    kind: StepKind,
    *,
    tools: Sequence[ToolSchema] = (),
    most: int = 0,
) -> list[tuple[int, ...]]:
    """The steps of a whole turn; their concatenation is `token_ids`.

    chat: its call format says what a call looks like. most: how many steps at most, the last one then runs to the end
    of the turn; 0: no bound. A stop token belongs to the last step.
    """
    cutter = StepCutter(chat.decode, chat.call_format, kind, tools)
    for token_id in token_ids:
        if token_id in chat.stop_ids:
            break
        cutter.add(token_id)
    ends = cutter.ends[: most - 1] if most else cutter.ends
    return [tuple(token_ids[start:end]) for start, end in pairwise([0, *ends, len(token_ids)]) if start < end]
