"""Expands leaves of many trees in one batch: next steps, a roll-out behind each, and the model's own judgement.

A step and its roll-out are one sampled turn: the step is how that turn begins, up to the first place where a step
may end (`steps`). So nothing is sampled twice, and each row goes on from the keys and values that it has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from components.contracts.errors import InputError
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema, parse_tools
from components.mcts.growing_turn import GrowingTurn, Ids, Siblings, TurnRules
from components.mcts.leaves import Failure, Leaf, Step
from components.mcts.self_evaluation import SelfEvaluation
from components.mcts.settings import MCTSSettings
from components.policy.card import check_adapter
from components.policy.engine import Conversation
from components.policy.load import Policy, load_policy
from components.policy.step_generation import KEPT_TOKENS, StepGenerator

__all__ = ["Expander", "Failure", "Leaf", "Step", "turn_seed"]

PROMPTS_KEPT = 1024  # as ids
Item = TypeVar("Item")


@dataclass
class _Expansion:
    """A leaf while it is expanded."""

    leaf: Leaf
    prompt: Ids
    tools: tuple[ToolSchema, ...]
    siblings: Siblings = field(default_factory=Siblings)
    turns: dict[int, GrowingTurn] = field(default_factory=dict)
    judged: dict[int, float] = field(default_factory=dict)
    failure: str = ""


class Expander:
    """`leaves.Expands` by a model in this process.

    settings: step, max_step_tokens, max_new_tokens, temperature, top_p, self_evaluation and engine.batch_size, the rows
    that are sampled together. kept_tokens: whose keys and values stay between calls, of prompts and of turns each.
    """

    def __init__(self, policy: Policy, settings: MCTSSettings, *, kept_tokens: int = KEPT_TOKENS) -> None:
        self.policy = policy
        self._settings = settings
        self._generator = StepGenerator(policy, kept_tokens=kept_tokens)
        self._judge = SelfEvaluation(policy.chat)
        self._encoded: dict[int, tuple[Conversation, Ids]] = {}
        self._rules = TurnRules(
            chat=policy.chat,
            call_format=get_call_format(policy.chat.call_format),
            kind=settings.step,
            most_tokens=settings.max_new_tokens,
            most_step_tokens=settings.max_step_tokens,
            context=self._generator.context,
        )

    @classmethod
    def open(cls, base_model: str, adapter: Path | None, settings: MCTSSettings) -> Expander:
        """Load the policy and make an expander of it.

        Raises:
            InputError: as `policy.load_policy`; the adapter was made for another template or call format.
        """
        engine = settings.engine
        policy = load_policy(
            base_model,
            adapter=adapter,
            settings=engine.model,
            call_format=engine.call_format,
            merge=engine.merge_adapter and engine.model.quantization == "none",
        )
        if adapter is not None:
            check_adapter(adapter, policy.chat, base_model)
        return cls(policy, settings)

    def expand(self, leaves: Sequence[Leaf]) -> list[list[Step] | Failure]:
        """See `leaves.Expands.expand`. A leaf without room for a token is a `Failure`, as is one that alone needs
        more memory than there is."""
        expansions = [self._begin(leaf) for leaf in leaves]
        rows = [
            (expansion, number)
            for expansion in expansions
            if not expansion.failure
            for number in range(expansion.leaf.width)
        ]
        rows.sort(key=lambda row: (row[0].prompt, row[0].leaf.path))
        for batch in _batches(rows, self._settings.engine.batch_size):
            self._within_memory(batch, self._sample, _fail)
        if self._settings.self_evaluation:
            steps = [
                (expansion, number)
                for expansion in expansions
                if expansion.leaf.judged
                for number in self._distinct(expansion)
            ]
            for batch in _batches(steps, self._settings.engine.batch_size):
                self._within_memory(batch, self._evaluate, _leave_unjudged)
        return [self._finish(expansion) for expansion in expansions]

    def prompt_ids(self, prompt: Conversation) -> Ids:
        """The ids of a conversation up to the assistant turn, generation prompt included.

        Raises:
            InputError: the chat template can't render it.
        """
        known = self._encoded.get(id(prompt))
        if known is not None and known[0] is prompt:
            return known[1]
        encoding = self.policy.chat.encode(
            prompt.messages, prompt.tools, sampled=prompt.sampled, generation_prompt=True
        )
        if len(self._encoded) >= PROMPTS_KEPT:
            self._encoded.clear()
        self._encoded[id(prompt)] = prompt, tuple(encoding.ids)
        return tuple(encoding.ids)

    def _begin(self, leaf: Leaf) -> _Expansion:
        """See whether the leaf can be expanded at all."""
        try:
            prompt = self.prompt_ids(leaf.prompt)
            tools = leaf.prompt.tools or (parse_tools(leaf.question.offered) if leaf.question.offered else ())
        except InputError as error:
            return _Expansion(leaf, (), (), failure=str(error))
        reasons = {
            "a turn that begins with given text is not searched": bool(leaf.prompt.prefill),
            "no step is left": leaf.room < 1 or leaf.width < 1,
            "the turn is over": bool(leaf.path) and leaf.path[-1] in self.policy.chat.stop_ids,
            "the turn is at its token limit": len(leaf.path) >= self._settings.max_new_tokens,
            "the model's context is full": len(prompt) + len(leaf.path) >= self._rules.context,
        }
        failure = next((reason for reason, holds in reasons.items() if holds), "")
        return _Expansion(leaf, prompt, tools, failure=failure)

    def _sample(self, rows: Sequence[tuple[_Expansion, int]]) -> None:
        for expansion, number in rows:
            expansion.siblings.steps.pop(number, None)
            expansion.turns[number] = GrowingTurn(
                self._rules,
                expansion.prompt,
                expansion.leaf.path,
                turn_seed(expansion.leaf.seed, number),
                number=number,
                siblings=expansion.siblings,
                last=expansion.leaf.room == 1,
                tools=expansion.tools,
            )
        self._generator.sample(
            [expansion.turns[number] for expansion, number in rows],
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
        )

    def _distinct(self, expansion: _Expansion) -> list[int]:
        """The numbers of the turns that begin with different steps."""
        first: dict[Ids, int] = {}
        if not expansion.failure:
            for number, turn in sorted(expansion.turns.items()):
                first.setdefault(tuple(turn.sampled[: turn.step]), number)
        return sorted(first.values())

    def _evaluate(self, rows: Sequence[tuple[_Expansion, int]]) -> None:
        """Judge the turn up to each step. A turn whose question does not fit the context stays unjudged."""
        asked: list[tuple[Ids, Ids]] = []
        places: list[tuple[_Expansion, int]] = []
        by_expansion: dict[int, list[tuple[_Expansion, int]]] = {}
        for expansion, number in rows:
            by_expansion.setdefault(id(expansion), []).append((expansion, number))
        for group in by_expansion.values():
            expansion = group[0][0]
            texts = [self._text_with(expansion, expansion.turns[number]) for _, number in group]
            prompts = self._judge.prompts(expansion.leaf.question, expansion.tools, texts)
            for row, prompt in zip(group, prompts, strict=True):
                if len(prompt[0]) + len(prompt[1]) <= self._rules.context:
                    asked.append(prompt)
                    places.append(row)
        found = self._generator.next_probabilities(asked, [self._judge.answer_id] * len(asked))
        for (expansion, number), probability in zip(places, found, strict=True):
            expansion.judged[number] = probability

    def _text_with(self, expansion: _Expansion, turn: GrowingTurn) -> str:
        return self.policy.chat.decode((*expansion.leaf.path, *turn.sampled[: turn.step]))

    def _finish(self, expansion: _Expansion) -> list[Step] | Failure:
        if expansion.failure:
            return Failure(expansion.failure)
        return [
            self._step(expansion.turns[number], expansion.judged.get(number))
            for number in self._distinct(expansion)
        ]

    def _step(self, turn: GrowingTurn, judged: float | None) -> Step:
        ended = turn.outcome in ("stop", "complete")
        ids = tuple(turn.sampled[: turn.step])
        rest = () if turn.outcome == "step" else tuple(turn.sampled[turn.step :])
        return Step(
            token_ids=ids,
            logprobs=tuple(turn.logprobs[: turn.step]),
            terminal=ended and not rest,
            text=self.policy.chat.decode(ids),
            rollout_ids=rest,
            rollout_complete=ended,
            self_evaluation=judged,
        )

    def _within_memory(
        self,
        rows: Sequence[tuple[_Expansion, int]],
        work: Callable[[Sequence[tuple[_Expansion, int]]], None],
        give_up: Callable[[_Expansion], None],
    ) -> None:
        """Do the work; out of memory, in halves."""
        try:
            work(rows)
            return
        except (torch.OutOfMemoryError, MemoryError):
            pass  # outside this block, so that the exception's frames hold no tensors any more
        self._generator.forget()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(rows) == 1:
            give_up(rows[0][0])
            return
        half = len(rows) // 2
        self._within_memory(rows[:half], work, give_up)
        self._within_memory(rows[half:], work, give_up)


def _fail(expansion: _Expansion) -> None:
    expansion.failure = "out of memory"


def _leave_unjudged(expansion: _Expansion) -> None:
    """A step without judgement is still a step."""


def _batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def turn_seed(seed: int, number: int) -> int:
    """A seed for the leaf's turn `number`."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
