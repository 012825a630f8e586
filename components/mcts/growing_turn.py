"""One turn while it is sampled: its first step, then its roll-out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.contracts.tool_calls import CallFormat
from components.contracts.tool_schemas import ToolSchema
from components.mcts.settings import StepKind
from components.mcts.steps import StepCutter

if TYPE_CHECKING:
    from components.policy.chat import Chat

Ids = tuple[int, ...]


@dataclass(frozen=True)
class TurnRules:
    """What ends steps and turns. most_tokens: of a turn, from its beginning; context: of prompt and turn.

    most_step_tokens: of a step; that it ends there has to show in the token behind it at the latest.
    """

    chat: Chat
    call_format: CallFormat
    kind: StepKind
    most_tokens: int
    most_step_tokens: int
    context: int


@dataclass
class Siblings:
    """The steps that a leaf's turns have begun with, by their number: of equal ones the first goes on."""

    steps: dict[int, Ids] = field(default_factory=dict)

    def has_before(self, number: int, step: Ids) -> bool:
        """Whether a turn with a lower number began with the same step."""
        return any(one == step for other, one in self.steps.items() if other < number)


class GrowingTurn:
    """A turn from `path` on; implements `step_generation.Growing`.

    last: no step ends before the turn does. The step is known when `step` is not None; `outcome` is "stop" (stop
    token sampled), "complete" (the call format says so), "length" (a limit), "step" (the step itself was cut by its
    limit) or "merged" (an equal step goes on in this one's place); None while it grows.
    """

    def __init__(
        self,
        rules: TurnRules,
        prompt: Ids,
        path: Ids,
        seed: int,
        *,
        number: int,
        siblings: Siblings,
        last: bool,
        tools: Sequence[ToolSchema] = (),
    ) -> None:
        self.prompt, self.path, self.seed = prompt, path, seed
        self.number = number
        self.sampled: list[int] = []
        self.logprobs: list[float] = []
        self.outcome: str | None = None
        self.step: int | None = None  # sampled tokens of the step
        self._rules, self._siblings, self._last = rules, siblings, last
        self._cutter = StepCutter(rules.chat.decode, rules.chat.call_format, rules.kind, tools)
        self._stop_ids: Collection[int] = rules.chat.stop_ids
        self._told = False
        for token_id in path:
            self._cutter.add(token_id)

    def take(self, token_id: int, logprob: float) -> bool:
        """See `Growing`."""
        self.sampled.append(token_id)
        self.logprobs.append(logprob)
        count = len(self.sampled)
        turn = len(self.path) + count
        if token_id in self._stop_ids:
            self.outcome = "stop"
        else:
            self._cutter.add(token_id)
            if self.step is None and not self._last:
                self._find_step()
            if self.outcome is None and self._rules.call_format.stop_after(self._cutter.text):
                self.outcome = "complete"
            elif self.outcome is None and (
                turn >= self._rules.most_tokens or len(self.prompt) + turn >= self._rules.context
            ):
                self.outcome = "length"
        if self.step is None and self.outcome is not None:
            self.step = count
        return self.outcome is None

    def reached(self) -> Ids:
        """See `Growing`."""
        if self._told or self.step is None or self.step == len(self.sampled) or self.outcome == "merged":
            return ()
        self._told = True
        return (*self.path, *self.sampled[: self.step])

    def _find_step(self) -> None:
        begin = len(self.path)
        end = next((end - begin for end in self._cutter.ends if end > begin), None)
        most = self._rules.most_step_tokens
        if end is not None and end <= most:
            self.step = end
            step = tuple(self.sampled[:end])
            self._siblings.steps[self.number] = step
            if self._siblings.has_before(self.number, step):
                self.outcome = "merged"
        elif end is not None or len(self.sampled) > most:
            self.step, self.outcome = most, "step"
