"""Log-probabilities of given tokens, without keeping float32 copies of the logits for the backward pass."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

CHUNK = 1 << 23  # logits whose float32 copies exist at once


def token_logprobs(logits: Tensor, labels: Tensor, positions: Tensor | None = None) -> Tensor:
    """log softmax(logits)[positions, labels] in nats, (targets,), float32 (float64 of float64 logits).

    logits: (positions, vocabulary) of any float type. labels, positions: (targets,); positions, ascending, says
    which logits predict each target: without it, each the one of the same number. Differentiable once, in
    logits: d log p_label / d logits = one_hot(label) - p, made anew a chunk at a time.
    """
    found: Tensor = _TokenLogprobs.apply(logits, labels, positions)  # type: ignore[no-untyped-call]
    return found


def chunks(logits: Tensor, positions: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of the logits, `CHUNK` of them at a time, each with the slice of the targets that it predicts."""
    size = max(1, CHUNK // logits.shape[-1])
    starts = torch.arange(0, logits.shape[0] + size, size, device=positions.device)
    targets = pairwise(torch.searchsorted(positions, starts).tolist())
    for start, (first, last) in zip(range(0, logits.shape[0], size), targets, strict=False):
        yield slice(start, start + size), slice(first, last)


def one_each(logits: Tensor, positions: Tensor | None) -> Tensor:
    """`positions`, or without them one target for each of the logits."""
    return torch.arange(logits.shape[0], device=logits.device) if positions is None else positions


class _TokenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, positions: Tensor | None) -> Tensor:
        positions = one_each(logits, positions)
        dtype = torch.promote_types(logits.dtype, torch.float32)
        normalizers = torch.empty(logits.shape[0], dtype=dtype, device=logits.device)
        for part, _ in chunks(logits, positions):
            normalizers[part] = logits[part].to(dtype).logsumexp(-1)
        ctx.save_for_backward(logits, labels, positions, normalizers)
        return logits[positions, labels].to(dtype) - normalizers[positions]

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        logits, labels, positions, normalizers = ctx.saved_tensors
        (slope,) = outputs
        total = torch.zeros_like(normalizers).index_add_(0, positions, slope)
        gradient = torch.empty_like(logits)
        for part, targets in chunks(logits, positions):
            probabilities = (
                (logits[part].to(slope.dtype) - normalizers[part, None]).exp_().mul_(-total[part, None])
            )
            place = positions[targets] - part.start, labels[targets]
            gradient[part] = probabilities.index_put_(place, slope[targets], accumulate=True)
        return gradient, None, None
