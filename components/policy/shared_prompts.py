"""Attention of rows that go on from shared prompts: a prompt's keys and values are read in place, copied to no row.

Each row attends to its prompt and to its own tokens; the two halves are joined by their log-sum-exps, which is exactly
the softmax over both. Rows of one prompt are one matrix product with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from components.policy.kv_cache import Prefix
from components.policy.tree_attention import supports_trees

ATTENTION = "shared_prompts"  # our name among transformers' attention functions


@dataclass(frozen=True)
class PromptRows:
    """Rows [start, end) of a batch have read the prompt whose keys and values are `states`, a pair a layer."""

    states: Prefix
    start: int
    end: int


_READ: ContextVar[Sequence[PromptRows]] = ContextVar("prompts that the rows have read", default=())


def supports_shared_prompts(model: Any) -> bool:
    """Whether each layer is plain attention to all that came before, by positions and by the mask it is given."""
    implementation = model.config._attn_implementation
    return implementation == ATTENTION or (implementation == "sdpa" and supports_trees(model))


def use_shared_prompts(model: Any) -> None:
    """Have transformers call `shared_prompt_attention` in this model; outside `read_prompts` it is sdpa as before."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(ATTENTION, shared_prompt_attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    model.set_attn_implementation(ATTENTION)


@contextmanager
def read_prompts(prompts: Sequence[PromptRows]) -> Iterator[None]:
    """Within it, the model's rows have read these prompts, which cover all rows, in order.

    `attention_mask` must then be (rows, 1, tokens, own tokens) booleans, `position_ids` count from the prompt's first.
    """
    token = _READ.set(prompts)
    try:
        yield
    finally:
        _READ.reset(token)


def shared_prompt_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **named: Any
) -> tuple[Tensor, Tensor | None]:
    """transformers' attention function. query: (rows, heads, tokens, size); key, value: (rows, key heads, own, size).

    Returns (rows, tokens, heads, size).
    """
    prompts = _READ.get()
    if not prompts or attention_mask is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        forward: Any = sdpa_attention_forward
        output: tuple[Tensor, Tensor | None] = forward(module, query, key, value, attention_mask, **named)
        return output
    rows, heads, tokens, size = query.shape
    kept = key.shape[1]
    scale = named.get("scaling") or size**-0.5
    # Query heads of one key head beside each other: (rows, key heads, queries, size).
    queries = (query * scale).reshape(rows, kept, heads // kept * tokens, size)
    own, own_sum = _attend(queries, key, value, attention_mask)
    pieces = [_attend_prompt(queries[one.start : one.end], *one.states[module.layer_idx]) for one in prompts]
    prompt, prompt_sum = (torch.cat(halves) for halves in zip(*pieces, strict=True))
    share = (prompt_sum - own_sum).sigmoid()[..., None]
    joined = own.float().lerp(prompt.float(), share).to(query.dtype)
    return joined.view(rows, heads, tokens, size).transpose(1, 2).contiguous(), None


def _attend(queries: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What each query reads of its row's own tokens, and the log-sum-exp of its scores."""
    rows, kept, count, _ = queries.shape
    tokens, own = mask.shape[-2:]
    scores = (queries @ key.transpose(-1, -2)).float().view(rows, kept, count // tokens, tokens, own)
    # The lowest number, not -inf: padding that sees nothing then stays finite, and counts for nothing.
    scores = scores.masked_fill(~mask[:, :, None], torch.finfo(torch.float32).min)
    scores = scores.view(rows, kept, count, own)
    return scores.softmax(-1).to(value.dtype) @ value, scores.logsumexp(-1)


def _attend_prompt(queries: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The same for all tokens of one prompt: key and value (1, key heads, tokens, size)."""
    rows, kept, count, size = queries.shape
    together = queries.transpose(0, 1).reshape(kept, rows * count, size)
    scores = torch.bmm(together, key[0].transpose(-1, -2)).float()
    read = torch.bmm(scores.softmax(-1).to(value.dtype), value[0])
    sums = scores.logsumexp(-1)
    return (
        read.view(kept, rows, count, size).transpose(0, 1),
        sums.view(kept, rows, count).transpose(0, 1),
    )
