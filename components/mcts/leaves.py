"""What goes to the expander and what comes back: the face between the search and the model. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from components.contracts.records import Question

if TYPE_CHECKING:
    from components.policy.engine import Conversation


@dataclass(frozen=True)
class Leaf:
    """A state whose next steps are wanted.

    prompt: the conversation up to the assistant turn; leaves of the same turn hold the same object. path: ids of
    the turn so far. seed: of all that is sampled here. width: steps wanted. room: steps that the tree may still
    take from here, this one included. judged: the steps' self-evaluation is wanted, where the settings have it.
    """

    question: Question
    prompt: Conversation
    path: tuple[int, ...]
    seed: int
    width: int
    room: int
    judged: bool = True


@dataclass(frozen=True)
class Step:
    """One sampled next step.

    token_ids, logprobs: of the step alone, aligned, in nats; a stop token at the end only where terminal.
    terminal: the turn is over after it. text: of the step's ids. rollout_ids: a continuation to a terminal state,
    its stop token included; () where terminal. rollout_complete: it got there, and did not run into the token limit.
    self_evaluation: probability in [0, 1] of the answer token; None where it was not asked for.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    terminal: bool
    text: str
    rollout_ids: tuple[int, ...] = ()
    rollout_complete: bool = True
    self_evaluation: float | None = None

    @property
    def truncated(self) -> bool:
        """Whether the step itself was cut by the token limit: nothing was left to roll out."""
        return not self.terminal and not self.rollout_ids and not self.rollout_complete


@dataclass(frozen=True)
class Failure:
    """Why a leaf could not be expanded, in a few words."""

    reason: str


class Expands(Protocol):
    """Whatever gives next steps; `components.mcts.expansion.Expander` is the model's."""

    def expand(self, leaves: Sequence[Leaf]) -> list[list[Step] | Failure]:
        """The steps of each leaf, in order, at most its width; equal ones merged.

        What a leaf gets depends on the leaf alone, not on its neighbours.
        """
        ...
