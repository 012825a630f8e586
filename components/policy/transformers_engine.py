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
from components.policy.card import check_adapter
from components.policy.chat import Encoding
from components.policy.engine import Completion, Conversation, Sampling
from components.policy.kv_cache import PrefixCache, common_length, roomy_cache
from components.policy.load import Policy, load_policy
from components.policy.offsets import TextGrower
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
        config = policy.model.config.get_text_config()
        self.context = int(getattr(config, "max_position_embeddings", 0) or 1 << 30)
        # A window over the last tokens would count the padding behind the prefix as tokens.
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        self._shares = kinds == {"full_attention"} and not getattr(config, "sliding_window", None)

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
        shared = self._shared_length(fitting)
        for start in range(0, len(fitting), self._batch_size):
            self._sample(fitting[start : start + self._batch_size], shared, sampling)
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

    def _shared_length(self, rows: Sequence[_Row]) -> int:
        """How many first tokens are read once for all rows; each keeps at least one of its own."""
        if not self._shares or not rows:
            return 0
        return min(common_length([tuple(row.prompt) for row in rows]), len(rows[0].prompt) - 1)

    def _sample(self, rows: list[_Row], shared: int, sampling: Sampling) -> None:
        """Sample the turns of one batch."""
        cache, mask, logits = self._read_prompts(rows, shared)
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

    def _read_prompts(self, rows: Sequence[_Row], shared: int) -> tuple[Cache, Tensor, Tensor]:
        """Read the prompts: [shared prefix][padding][rest] a row, equal prompts once.

        Returns the cache, the attention mask (rows, tokens) and the next token's logits (rows, vocabulary).
        """
        device = self._model.device
        distinct: dict[tuple[int, ...], int] = {}
        places = [distinct.setdefault(tuple(row.prompt), len(distinct)) for row in rows]
        rests = [prompt[shared:] for prompt in distinct]
        width = max(map(len, rests))
        ids = torch.zeros(len(rests), width, dtype=torch.long)
        mask = torch.zeros(len(rests), shared + width, dtype=torch.long)
        mask[:, :shared] = 1
        positions = torch.zeros_like(ids)
        for i, rest in enumerate(rests):
            ids[i, width - len(rest) :] = torch.tensor(rest)
            mask[i, shared + width - len(rest) :] = 1
            positions[i, width - len(rest) :] = torch.arange(shared, shared + len(rest))
        mask = mask.to(device)
        cache = self._cache(list(next(iter(distinct))[:shared]), len(rests))
        logits = self._model(
            input_ids=ids.to(device),
            attention_mask=mask,
            position_ids=positions.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        if len(rests) == len(rows):
            return cache, mask, logits
        spread = torch.tensor(places, device=device)
        cache.batch_select_indices(spread)
        return cache, mask[spread], logits[spread]

    def _cache(self, prefix: list[int], rows: int) -> Cache:
        if not self._shares:
            return DynamicCache(config=self._model.config.get_text_config())
        return roomy_cache(self._prefixes.get(prefix) if prefix else None, rows)

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
