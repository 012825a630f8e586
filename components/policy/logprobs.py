"""Log-probabilities of given tokens, without keeping float32 copies of the logits for the backward pass."""

from typing import Any

import torch
from torch import Tensor

CHUNK = 1 << 23  # logits whose float32 copies exist at once


def token_logprobs(logits: Tensor, labels: Tensor) -> Tensor:
    """log softmax(logits)[labels] in nats, float32, (positions,).

    logits: (positions, vocabulary) of any float type. labels: (positions,). Differentiable once, in
    logits: d log p_label / d logits = one_hot(label) - p, made anew a chunk at a time.
    """
    found: Tensor = _TokenLogprobs.apply(logits, labels)  # type: ignore[no-untyped-call]
    return found


def _chunks(logits: Tensor) -> list[slice]:
    size = max(1, CHUNK // logits.shape[-1])
    return [slice(start, start + size) for start in range(0, logits.shape[0], size)]


class _TokenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        normalizers = torch.empty(labels.shape, dtype=torch.float32, device=logits.device)
        for part in _chunks(logits):
            normalizers[part] = logits[part].float().logsumexp(-1)
        ctx.save_for_backward(logits, labels, normalizers)
        return logits.gather(-1, labels[:, None])[:, 0].float() - normalizers

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None]:
        logits, labels, normalizers = ctx.saved_tensors
        (slope,) = outputs
        gradient = torch.empty_like(logits)
        for part in _chunks(logits):
            probabilities = (logits[part].float() - normalizers[part, None]).exp_().mul_(-slope[part, None])
            probabilities.scatter_add_(-1, labels[part, None], slope[part, None])
            gradient[part] = probabilities
        return gradient, None
