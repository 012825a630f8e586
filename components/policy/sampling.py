"""From logits to the next token of each row."""

from collections.abc import Sequence

import torch
from torch import Tensor

LIKELIEST = 1024  # tokens among which top_p is looked for before all are sorted


def draw_uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """(len(seeds), count) numbers in [0, 1), float64; a row depends on its own seed only."""
    rows = [
        torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in seeds
    ]
    return torch.stack(rows) if rows else torch.empty(0, count, dtype=torch.float64)


def choose_tokens(
    logits: Tensor, uniforms: Tensor, *, temperature: float, top_p: float
) -> tuple[Tensor, Tensor]:
    """Choose a token in each row.

    logits: (rows, vocabulary). uniforms: (rows,) in [0, 1), unused at temperature 0 (greedy). Among the
    fewest likeliest tokens that together have probability `top_p`. Returns the ids and their
    log-probabilities in nats under softmax(logits), so at temperature 1 and over the whole vocabulary,
    (rows,) each.
    """
    logits = logits.float()
    if temperature == 0:
        ids = logits.argmax(-1)
    elif top_p < 1:
        ids = _from_nucleus((logits / temperature).softmax(-1), uniforms, top_p)
    else:
        ids = _from_weights((logits / temperature).softmax(-1), uniforms)
    return ids, logprobs_of(logits, ids)


def logprobs_of(logits: Tensor, ids: Tensor) -> Tensor:
    """(rows,) log-probabilities, in nats, of `ids` (rows,) under softmax(logits) of (rows, vocabulary)."""
    return logits.gather(-1, ids[:, None])[:, 0] - logits.logsumexp(-1)


def find_nucleus(probabilities: Tensor, top_p: float) -> tuple[Tensor, Tensor, Tensor]:
    """Each row's likeliest tokens, enough of them: probabilities, the likeliest first, their ids, and which are in.

    In are the fewest that together have probability `top_p`. probabilities: (rows, vocabulary). Returns (rows, tokens)
    each, the last of booleans.
    """
    values, order = probabilities.topk(min(LIKELIEST, probabilities.shape[-1]), dim=-1)
    if bool((values.sum(-1) < top_p).any()):
        values, order = probabilities.sort(dim=-1, descending=True)
    return values, order, values.cumsum(-1) - values < top_p


def _from_nucleus(probabilities: Tensor, uniforms: Tensor, top_p: float) -> Tensor:
    values, order, inside = find_nucleus(probabilities, top_p)
    chosen = _from_weights(torch.where(inside, values, 0.0), uniforms)
    return order.gather(-1, chosen[:, None])[:, 0]


def _from_weights(weights: Tensor, uniforms: Tensor) -> Tensor:
    cumulative = weights.double().cumsum(-1)
    wanted = uniforms.to(weights.device)[:, None] * cumulative[:, -1:]
    chosen = torch.searchsorted(cumulative, wanted, right=True)[:, 0]
    # Rounding must not choose a token of weight zero behind the last one.
    last = (weights > 0).long().mul(torch.arange(1, weights.shape[-1] + 1, device=weights.device)).amax(
        -1
    ) - 1
    return torch.minimum(chosen, last)
