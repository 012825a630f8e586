"""The loss at supervised positions only: no logits are made where no token is trained."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK = 512  # positions whose fp32 logits exist at once


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

    logits: (positions, vocabulary) of any float type; labels, weights: (positions,). The float32 copies
    are made a chunk at a time and made again for the gradient.
    """
    total = torch.zeros((), dtype=torch.float32, device=logits.device)
    for start in range(0, logits.shape[0], CHUNK):
        part = slice(start, start + CHUNK)
        total = total + checkpoint(_chunk_nll, logits[part], labels[part], weights[part], use_reentrant=False)
    return total


def _chunk_nll(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    return (F.cross_entropy(logits.float(), labels, reduction="none") * weights).sum()
