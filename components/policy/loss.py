"""The loss at supervised positions only: no logits are made where no token is trained."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 1 << 23  # logits whose float32 copies exist at once


def supervised_cross_entropy(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    weights: Tensor,
    *,
    position_ids: Tensor | None = None,
) -> Tensor:
    """Weighted mean negative log-likelihood in nats, a scalar in float32.

    model: a causal language model of transformers, or peft's wrapper of one.
    input_ids, attention_mask: (rows, tokens). weights: (rows, tokens), >= 0; weights[r, t] is how much
    predicting token t from those before it counts, 0 for not at all; the first column never counts.
    The sum of weight times loss is divided by the sum of the weights; 0 where no token has weight.
    """
    targets = weights[:, 1:]
    # Position t predicts token t + 1.
    predicting = F.pad(targets > 0, (0, 1))
    if not bool(predicting.any()):
        predicting[0, 0] = True  # keeps the graph whole, at weight 0
    arguments = {} if position_ids is None else {"position_ids": position_ids}
    logits = model(
        input_ids=input_ids,
        attention_mask=attention_mask,
        logits_to_keep=predicting,
        use_cache=False,
        **arguments,
    ).logits
    kept = predicting[:, :-1]
    labels = input_ids[:, 1:][kept]
    weight = targets[kept].float()
    return weighted_nll(logits.reshape(-1, logits.shape[-1]), labels, weight) / weight.sum().clamp_min(1e-12)


def weighted_nll(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """sum of weights * -log softmax(logits)[labels], a scalar in float32.

    logits: (positions, vocabulary) of any float type; labels, weights: (positions,). Differentiable once,
    in logits.
    """
    total: Tensor = _WeightedNll.apply(logits, labels, weights)  # type: ignore[no-untyped-call]
    return total


class _WeightedNll(torch.autograd.Function):
    """The gradient is made along with the loss, a chunk at a time.

    Autograd would keep float32 logits, log-probabilities and their gradient side by side.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), dtype=torch.float32, device=logits.device)
        size = max(1, CHUNK // logits.shape[-1])
        for start in range(0, logits.shape[0], size):
            part = slice(start, start + size)
            label, weight = labels[part, None], weights[part, None]
            logprobs = logits[part].float().log_softmax(-1)
            total -= (logprobs.gather(-1, label) * weight).sum()
            if gradient is not None:
                # d(-log p_label)/d(logits) = p - one_hot(label)
                slope = logprobs.exp_()
                slope.scatter_add_(-1, label, torch.full_like(weight, -1.0))
                gradient[part] = slope.mul_(weight)
        ctx.gradient = gradient
        return total

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, None, None]:
        gradient = ctx.gradient
        if gradient is None:
            raise RuntimeError("weighted_nll: backward can run only once")
        ctx.gradient = None
        return gradient.mul_(outputs[0]), None, None
