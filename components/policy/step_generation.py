"""Goes on from many points of many turns in one batch; what the model has read of them stays with it.

Prompts' keys and values are kept over calls and read in place (`shared_prompts`); those of a turn's beginning are kept
where the caller says so, and the tokens behind them are all that is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from components.policy.architecture import context_length
from components.policy.kv_cache import Ids, KeptTurns, Prefix, PrefixCache, pad_left, roomy_cache
from components.policy.load import Policy
from components.policy.noise_sampling import choose_by_noise
from components.policy.shared_prompts import (
    PromptRows,
    read_prompts,
    supports_shared_prompts,
    use_shared_prompts,
)

KEPT_TOKENS = 32_768


class Growing(Protocol):
    """A turn that is being sampled. prompt: at least one id. path: the turn's ids that were there before.

    seed: of the noise that chooses its tokens (`noise_sampling`).
    """

    prompt: Ids
    path: Ids
    seed: int

    def take(self, token_id: int, logprob: float) -> bool:
        """Append a sampled token; returns whether another is wanted."""
        ...

    def reached(self) -> Ids:
        """Once: the turn's ids up to a point that others may go on from; otherwise ()."""
        ...


class StepGenerator:
    """A policy that goes on from given points. kept_tokens: of prompts, and again of turns, kept between calls.

    Models whose layers look at a window or have a state of their own read everything again in each call.
    """

    def __init__(self, policy: Policy, *, kept_tokens: int = KEPT_TOKENS) -> None:
        self.policy = policy
        self._model = policy.model
        self.context = context_length(policy.model)
        self._shares = supports_shared_prompts(policy.model)
        if self._shares:
            use_shared_prompts(policy.model)
        self._prompts = PrefixCache(policy.model, kept_tokens, max_tokens=kept_tokens)
        self._turns = KeptTurns(kept_tokens)

    @torch.inference_mode()
    def sample(self, rows: Sequence[Growing], *, temperature: float, top_p: float) -> None:
        """Sample all rows as one batch until none wants more; see `choose_by_noise` for the parameters."""
        alive = sorted(rows, key=lambda row: (row.prompt, row.path))
        if not alive:
            return
        points: dict[tuple[Ids, Ids], int] = {}
        places = [points.setdefault((row.prompt, row.path), len(points)) for row in alive]
        reading = _Reading(self, [(prompt[:-1], (prompt[-1], *path)) for prompt, path in points])
        reading.spread(places)
        step = 0
        while True:
            chosen, logprobs = choose_by_noise(
                reading.logits, [row.seed for row in alive], step, temperature=temperature, top_p=top_p
            )
            going = []
            for place, (token_id, logprob) in enumerate(zip(chosen.tolist(), logprobs.tolist(), strict=True)):
                row = alive[place]
                if row.take(token_id, logprob):
                    going.append(place)
                if reading.keeps and (reached := row.reached()):
                    self._turns.keep((row.prompt, reached), reading.tail(place, len(reached)))
            if not going:
                return
            if len(going) < len(alive):
                reading.spread(going)
                chosen, alive = chosen[going], [alive[place] for place in going]
            reading.append(chosen)
            step += 1

    @torch.inference_mode()
    def next_probabilities(self, rows: Sequence[tuple[Ids, Ids]], token_ids: Sequence[int]) -> list[float]:
        """The probability of token_ids[i] behind rows[i], in one batch.

        A row is what may be read once and kept, perhaps nothing, and the ids behind it, at least one.
        """
        if not rows:
            return []
        order = sorted(range(len(rows)), key=lambda place: rows[place])
        reading = _Reading(self, [rows[place] for place in order], keep=False)
        wanted = torch.tensor([token_ids[place] for place in order], device=reading.logits.device)
        found = reading.logits.float().softmax(-1).gather(-1, wanted[:, None])[:, 0].tolist()
        probabilities = dict(zip(order, found, strict=True))
        return [probabilities[place] for place in range(len(rows))]

    def forget(self) -> None:
        """Give all kept keys and values back."""
        self._prompts.clear()
        self._turns.clear()


class _Reading:
    """A batch of rows and what the model has read of them.

    points: (context, own) ids, sorted, `own` at least one id. keep: whether kept turns are looked for.
    logits: (rows, vocabulary) behind the last token. keeps: whether `tail` gives what a kept turn is made of.
    """

    def __init__(self, owner: StepGenerator, points: Sequence[tuple[Ids, Ids]], *, keep: bool = True) -> None:
        self._model: Any = owner._model
        self._shares = owner._shares
        self._device = self._model.device
        if not self._shares or not all(context for context, _ in points):
            points, keep = [((), (*context, *own)) for context, own in points], False
        self.keeps = keep and self._shares
        self._contexts = [context for context, _ in points]
        self._states = {
            context: owner._prompts.get(context) for context in dict.fromkeys(self._contexts) if context
        }
        kept = [self._find(owner, *point) if keep else None for point in points]
        known = [states[0][0].shape[2] if states else 0 for states in kept]
        most = max(known)
        rests = [own[count:] for (_, own), count in zip(points, known, strict=True)]
        starts = [len(context) + count for (context, _), count in zip(points, known, strict=True)]
        ids, real, positions = pad_left(rests, starts)
        width = ids.shape[1]
        behind_padding = torch.arange(most) >= most - torch.tensor(known)[:, None]
        self._mask = torch.cat([behind_padding, real], dim=1)
        self._mask = self._mask.to(self._device)
        self._lengths = torch.tensor([len(context) + len(own) for context, own in points])
        self._cache = self._begin(kept, known)
        seen = self._mask[:, None, None, :].repeat(1, 1, width, 1)
        causal = torch.ones(width, width, dtype=torch.bool, device=self._device).tril()
        # Padding looks at itself: what sees nothing would be NaN in some kernels.
        seen[..., most:] = seen[..., most:] & causal | causal & causal.T
        self.logits = self._forward(ids.to(self._device), positions.to(self._device), seen)

    def spread(self, places: Sequence[int]) -> None:
        """Go on with the rows `places`, ascending; a row may come several times."""
        if list(places) == list(range(len(self._contexts))):
            return
        index = torch.tensor(places, device=self._device)
        self._cache.batch_select_indices(index)
        self._mask, self.logits = self._mask[index], self.logits[index]
        self._lengths = self._lengths[torch.tensor(places)]
        self._contexts = [self._contexts[place] for place in places]

    def append(self, chosen: Tensor) -> None:
        """Read one more token a row, (rows,)."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], dim=1)
        positions = self._lengths[:, None].to(self._device)
        self.logits = self._forward(chosen[:, None], positions, self._mask[:, None, None, :])
        self._lengths += 1

    def tail(self, row: int, count: int) -> Prefix:
        """A copy of the row's own first `count` keys and values."""
        # They stand in two pieces: what was kept of the row, then, behind padding, what was read here.
        places = self._mask[row].nonzero()[:count, 0]
        return [
            (layer.keys[row : row + 1, :, places], layer.values[row : row + 1, :, places])  # type: ignore[union-attr, index]
            for layer in self._cache.layers
        ]

    @staticmethod
    def _find(owner: StepGenerator, context: Ids, own: Ids) -> Prefix | None:
        return owner._turns.find(((*context, own[0]), own[1:]))

    def _begin(self, kept: Sequence[Prefix | None], known: Sequence[int]) -> Cache:
        """A cache whose rows begin with what was kept of each, right-aligned."""
        if not self._shares:
            return DynamicCache(config=self._model.config.get_text_config())
        cache = roomy_cache()
        first: Prefix = next((states for states in kept if states), [])
        for index, pair in enumerate(first):
            filled = [like.new_zeros(len(kept), like.shape[1], max(known), like.shape[3]) for like in pair]
            for row, states in enumerate(kept):
                for which, rows in enumerate(filled):
                    if states:
                        rows[row, :, max(known) - known[row] :] = states[index][which][0]
            cache.update(filled[0], filled[1], index)
        return cache

    def _forward(self, ids: Tensor, positions: Tensor, seen: Tensor) -> Tensor:
        """The logits behind the last token. seen: (rows, 1, tokens, own tokens)."""
        arguments = {"input_ids": ids, "position_ids": positions, "past_key_values": self._cache}
        with read_prompts(self._prompt_rows()):
            output = self._model(
                **arguments,
                attention_mask=seen if self._shares else self._mask.long(),
                use_cache=True,
                logits_to_keep=1,
            )
        logits: Tensor = output.logits[:, -1]
        return logits

    def _prompt_rows(self) -> list[PromptRows]:
        found: list[PromptRows] = []
        if not self._states:
            return found
        start = 0
        for context, rows in groupby(self._contexts):
            end = start + sum(1 for _ in rows)
            found.append(PromptRows(self._states[context], start, end))
            start = end
        return found
