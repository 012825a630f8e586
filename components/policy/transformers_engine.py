"""Samples with the model in this process: rows decoded together, what their prompts share read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from components.contracts.errors import InputError
from components.contracts.records import FinishReason
from components.contracts.tool_calls import get_call_format
from components.policy.architecture import attends_to_all, context_length
from components.policy.card import check_adapter
from components.policy.chat import Encoding
from components.policy.engine import Completion, Conversation, Sampling
from components.policy.kv_cache import Ids, Prefix, PrefixCache, pad_left, roomy_cache
from components.policy.load import Policy, load_policy
from components.policy.offsets import TextGrower
from components.policy.prompt_groups import FORWARD_ON_CPU, FORWARD_ON_GPU, PromptGroup, plan_groups
from components.policy.sampling import choose_tokens, draw_uniforms
from components.policy.settings import EngineSettings


@dataclass
class _Row:
    """One conversation while its turn is sampled. `prompt` ends with the prefill's tokens."""

    index: int
    prompt: list[int]
    given: list[int]
    uniforms: Tensor
    grower: TextGrower
    sampled: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason | None = None


class TransformersEngine:
    """An `Engine` over a loaded policy.

    batch_size: rows decoded together. prefix_cache: shared prompt prefixes kept between calls.
    """

    def __init__(self, policy: Policy, *, batch_size: int = 16, prefix_cache: int = 4) -> None:
        self.policy = policy
        self.base_model = policy.base_model
        self.template_hash = policy.chat.template_hash
        self.call_format = policy.chat.call_format
        self.native_tools = policy.chat.native_tools
        self._format = get_call_format(self.call_format)
        self._model = policy.model
        self._batch_size = batch_size
        self._prefixes = PrefixCache(policy.model, prefix_cache)
        self.context = context_length(policy.model)
        # A window over the last tokens would count the padding behind the prefix as tokens.
        self._shares = attends_to_all(policy.model)

    @classmethod
    def open(cls, base_model: str, adapter: Path | None, settings: EngineSettings) -> TransformersEngine:
        """Load the policy and make an engine of it; see `open_engine`."""
        policy = load_policy(
            base_model,
            adapter=adapter,
            settings=settings.model,
            call_format=settings.call_format,
            merge=settings.merge_adapter and settings.model.quantization == "none",
        )
        if adapter is not None:
            check_adapter(adapter, policy.chat, base_model)
        return cls(policy, batch_size=settings.batch_size, prefix_cache=settings.prefix_cache)

    @torch.inference_mode()
    def complete(
        self, conversations: Sequence[Conversation], sampling: Sampling, *, seeds: Sequence[int]
    ) -> list[Completion]:
        """See `Engine.complete`. A prompt that fills the model's context gets an empty turn, "length"."""
        if len(seeds) != len(conversations):
            raise InputError(f"engine: {len(conversations)} conversations, but {len(seeds)} seeds")
        if not conversations:
            return []
        uniforms = draw_uniforms(seeds, sampling.max_new_tokens)
        rows = [self._row(i, conversation, uniforms[i]) for i, conversation in enumerate(conversations)]
        fitting = [row for row in rows if len(row.prompt) < self.context]
        # Alike in length: little padding. Equal prompts beside each other: read once.
        fitting.sort(key=lambda row: (len(row.prompt), row.prompt))
        for start in range(0, len(fitting), self._batch_size):
            self._sample(fitting[start : start + self._batch_size], sampling)
        return [self._completion(row) for row in rows]

    def count_tokens(self, conversation: Conversation) -> int:
        """See `MeasuresPrompts`."""
        return len(self._encode(conversation).ids)

    def _encode(self, conversation: Conversation) -> Encoding:
        return self.policy.chat.encode(
            conversation.messages,
            conversation.tools,
            sampled=conversation.sampled,
            prefill=conversation.prefill,
            generation_prompt=True,
        )

    def _row(self, index: int, conversation: Conversation, uniforms: Tensor) -> _Row:
        encoding = self._encode(conversation)
        last = encoding.spans[-1]
        prefilled = last.end - last.start if conversation.prefill else 0
        given = encoding.ids[len(encoding.ids) - prefilled :]
        grower = TextGrower(self.policy.chat.decode)
        for token_id in given:
            grower.add(token_id)
        return _Row(index, encoding.ids, given, uniforms, grower)

    def _sample(self, rows: list[_Row], sampling: Sampling) -> None:
        """Sample the turns of one batch."""
        cache, mask, logits = self._read_prompts(rows)
        lengths = torch.tensor([len(row.prompt) for row in rows], device=mask.device)
        alive = list(rows)  # rows of the cache, in its order
        for step in range(sampling.max_new_tokens):
            uniforms = torch.stack([row.uniforms[step] for row in alive])
            chosen, logprobs = choose_tokens(
                logits, uniforms, temperature=sampling.temperature, top_p=sampling.top_p
            )
            for row, token_id, logprob in zip(alive, chosen.tolist(), logprobs.tolist(), strict=True):
                if row.finish_reason is None:
                    self._take(row, token_id, logprob)
            going = [i for i, row in enumerate(alive) if row.finish_reason is None]
            if not going or step == sampling.max_new_tokens - 1:
                return
            # Dropping rows copies the cache, so a few finished ones are carried along.
            if len(alive) - len(going) > len(alive) // 8:
                kept = torch.tensor(going, device=mask.device)
                cache.batch_select_indices(kept)
                mask, lengths, chosen = mask[kept], lengths[kept], chosen[kept]
                alive = [alive[i] for i in going]
            mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
            logits = self._model(
                input_ids=chosen[:, None],
                attention_mask=mask,
                position_ids=(lengths + step)[:, None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]

    def _read_prompts(self, rows: Sequence[_Row]) -> tuple[Cache, Tensor, Tensor]:
        """Read the prompts: [padding][what its group shares][padding][rest] a row, equal prompts once.

        Returns the cache, the attention mask (rows, tokens) and the next token's logits (rows, vocabulary).
        """
        device = self._model.device
        prompts = sorted({tuple(row.prompt) for row in rows})
        places = {prompt: place for place, prompt in enumerate(prompts)}
        groups = self._groups(prompts)
        first = max(group.shared for group in groups)
        shared = [group.shared for group in groups for _ in range(group.start, group.end)]
        rests = [prompt[known:] for prompt, known in zip(prompts, shared, strict=True)]
        ids, real, positions = pad_left(rests, shared)
        known = torch.arange(first) >= first - torch.tensor(shared)[:, None]
        mask = torch.cat([known, real], dim=1).long().to(device)
        cache = self._cache(prompts, groups, first)
        logits = self._model(
            input_ids=ids.to(device),
            attention_mask=mask,
            position_ids=positions.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        order = [places[tuple(row.prompt)] for row in rows]
        if order == list(range(len(prompts))):
            return cache, mask, logits
        spread = torch.tensor(order, device=device)
        cache.batch_select_indices(spread)
        return cache, mask[spread], logits[spread]

    def _groups(self, prompts: Sequence[Ids]) -> list[PromptGroup]:
        if not self._shares:
            return [PromptGroup(0, len(prompts), 0)]
        forward = FORWARD_ON_CPU if self._model.device.type == "cpu" else FORWARD_ON_GPU
        return plan_groups(prompts, forward=forward)

    def _cache(self, prompts: Sequence[Ids], groups: Sequence[PromptGroup], width: int) -> Cache:
        """A cache in which each prompt's row has read what its group shares, right-aligned in `width` tokens."""
        if not self._shares:
            return DynamicCache(config=self._model.config.get_text_config())
        if not width:
            return roomy_cache()
        if len(groups) == 1:
            return roomy_cache(self._prefixes.get(prompts[0][:width]), len(prompts))
        filled: Prefix = []
        for group in groups:
            if not group.shared:
                continue
            states = self._prefixes.get(prompts[group.start][: group.shared])
            filled = filled or [
                (
                    keys.new_zeros(len(prompts), keys.shape[1], width, keys.shape[3]),
                    values.new_zeros(len(prompts), values.shape[1], width, values.shape[3]),
                )
                for keys, values in states
            ]
            for pair, read in zip(filled, states, strict=True):
                for rows, one in zip(pair, read, strict=True):
                    rows[group.start : group.end, :, width - group.shared :] = one
        cache = roomy_cache()
        for layer, (keys, values) in enumerate(filled):
            cache.update(keys, values, layer)
        return cache

    def _take(self, row: _Row, token_id: int, logprob: float) -> None:
        """Append a sampled token to the row, and see whether the turn has ended."""
        row.sampled.append(token_id)
        row.logprobs.append(logprob)
        if token_id in self.policy.chat.stop_ids:
            row.finish_reason = "stop"
        elif self._format.stop_after(row.grower.add(token_id)):
            row.finish_reason = "complete"
        elif len(row.prompt) + len(row.sampled) >= self.context:
            row.finish_reason = "length"

    def _completion(self, row: _Row) -> Completion:
        ids = (*row.given, *row.sampled)
        return Completion(
            text=self.policy.chat.decode(ids),
            token_ids=ids,
            logprobs=(*(0.0 for _ in row.given), *row.logprobs),
            finish_reason=row.finish_reason or "length",
            prefilled=len(row.given),
        )
