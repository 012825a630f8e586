"""The loss at supervised positions only: no logits are made where no token is trained."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from components.policy.logprobs import chunks, one_each
from components.policy.prefix_tree import TreeBatch
from components.policy.tree_forward import tree_logits


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


def tree_cross_entropy(model: Any, batch: TreeBatch) -> Tensor:
    """`supervised_cross_entropy` of packed rows: the same number and gradient as that of their sequences.

    batch: from `prefix_tree.collate_rows`. A shared token counts with the sum of its sequences' weights.
    """
    weights = batch["weights"]
    logits, places, positions = tree_logits(model, batch, weights > 0)
    labels, weight = batch["input_ids"].flatten()[places], weights.flatten()[places].float()
    return weighted_nll(logits, labels, weight, positions) / weight.sum().clamp_min(1e-12)


def weighted_nll(logits: Tensor, labels: Tensor, weights: Tensor, positions: Tensor | None = None) -> Tensor:
    """sum of weights * -log softmax(logits)[positions, labels], a scalar in float32.

    logits: (positions, vocabulary) of any float type. labels, weights, positions: (targets,); positions,
    ascending, says which logits predict each target: without it, each the one of the same number.
    Differentiable once, in logits.
    """
    total: Tensor = _WeightedNll.apply(logits, labels, weights, positions)  # type: ignore[no-untyped-call]
    return total


class _WeightedNll(torch.autograd.Function):
    """The gradient is made along with the loss, a chunk at a time.

    Autograd would keep float32 logits, log-probabilities and their gradient side by side.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor, weights: Tensor, positions: Tensor | None
    ) -> Tensor:
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), dtype=torch.float32, device=logits.device)
        positions = one_each(logits, positions)
        for part, targets in chunks(logits, positions):
            target, weight = (positions[targets] - part.start, labels[targets]), weights[targets]
            logprobs = logits[part].float().log_softmax(-1)
            total -= (logprobs[target] * weight).sum()
            if gradient is not None:
                # d(sum of w * -log p_label)/d(logits) = (sum of w) * p - (sum of w * one_hot(label))
                slope = logprobs.exp_()
                slope.mul_(slope.new_zeros(slope.shape[0], 1).index_add_(0, target[0], weight[:, None]))
                slope.index_put_(target, -weight, accumulate=True)
                gradient[part] = slope
        ctx.gradient = gradient
        return total

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, None, None, None]:
        gradient = ctx.gradient
        if gradient is None:
            raise RuntimeError("weighted_nll: backward can run only once")
        ctx.gradient = None
        return gradient.mul_(outputs[0]), None, None, None
