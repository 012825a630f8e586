"""The forward pass of packed prefix trees, with logits only at the positions that predict a wanted token."""

from typing import Any

import torch
from torch import Tensor

from components.policy.prefix_tree import TreeBatch
from components.policy.tree_attention import tree_mask


def tree_logits(
    model: Any, batch: TreeBatch, wanted: Tensor, *, causal: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """(logits, places, positions) of one forward pass.

    model: a causal language model of transformers, or peft's wrapper of one.
    batch: from `prefix_tree.collate_rows`. wanted: (rows, tokens) booleans, no first token among them; the
    tokens that have to be predicted.
    causal: no row branches, so that every token attends to all before it; no mask is made then, not for the
    padding on the right either, which no token looks at.
    logits: (predictors, vocabulary), made once for all tokens that follow one position; where nothing is wanted,
    one, which keeps the graph whole. places: (wanted,) of the wanted tokens in the flattened batch, and
    positions: (wanted,), ascending, which of the logits predicts each.
    """
    rows, places = wanted.nonzero(as_tuple=True)
    predictor = rows, batch["parents"][rows, places]
    predicting = torch.zeros_like(wanted)
    predicting[predictor] = True
    if not len(rows):
        predicting[0, 0] = True
    mask = (
        {}
        if causal
        else {"attention_mask": tree_mask(model, batch["ends"]), "position_ids": batch["position_ids"]}
    )
    logits = model(input_ids=batch["input_ids"], logits_to_keep=predicting, use_cache=False, **mask).logits
    kept = (predicting.flatten().cumsum(0) - 1).view_as(predicting)[predictor]
    positions, order = kept.sort(stable=True)
    return logits.reshape(-1, logits.shape[-1]), (rows * wanted.shape[1] + places)[order], positions
