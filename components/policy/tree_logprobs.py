"""Log-probabilities of whole sequences that share prefixes, each shared token encoded once.

What preference losses need of a pair, or of all pairs of a search tree (see `prefix_tree` for how sequences become
a row, `shared_rows.plan_rows` for which go into one).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from components.policy.logprobs import token_logprobs
from components.policy.prefix_tree import PackedRow, collate_rows, pack_sequences
from components.policy.tree_forward import tree_logits


def sequence_logprobs(
    model: Any,
    sequences: Sequence[Sequence[int]],
    weights: Sequence[Sequence[float]],
    rows: Sequence[tuple[int, ...]],
) -> Tensor:
    """sum over t >= 1 of weights[s][t] * log p(sequences[s][t] | those before it), (sequences,) float32 nats.

    model: a causal language model of transformers, or peft's wrapper of one (in float64 the sums are, too); where a
    row has more than one sequence, one that `tree_attention.supports_trees`. Differentiable once, in the model's parameters.
    sequences: of token ids, all of one type (list, tuple, `array`). weights: for each sequence, one for each of
    its tokens; a token of weight 0 gets no logits and no gradient. The first never counts.
    rows: the sequences' numbers, each in exactly one row; those of a row are packed into one prefix tree. All rows
    are one forward pass, as wide as the longest. Where none of them branches, they are ordinary causal rows; else all
    go with the ancestor mask, those of one sequence too, which costs these more than a call of their own.
    A token that several sequences share is predicted once, and counts in each with that one's weight.

    Raises:
        ValueError: a sequence is in no row or in two, is empty, or has not one weight a token.
    """
    _check(sequences, weights, rows)
    if not rows:
        return torch.zeros(0)
    packed = [pack_sequences([sequences[number] for number in row]) for row in rows]
    terms = _terms(packed, weights, rows)
    device = next(model.parameters()).device
    batch = {
        name: tensor.to(device)
        for name, tensor in collate_rows(packed, [array("d", [0.0]) * len(row) for row in packed]).items()
    }
    kinds = torch.long, torch.long, torch.float64
    owners, places, weight = (
        torch.tensor(column, dtype=kind, device=device) for column, kind in zip(terms, kinds, strict=True)
    )
    wanted = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
    wanted.view(-1)[places] = True
    causal = all(row.depths[-1] + 1 == len(row) for row in packed)
    logits, found, positions = tree_logits(model, batch, wanted, causal=causal)
    logprobs = token_logprobs(logits, batch["input_ids"].flatten()[found], positions)
    # Which of the log-probabilities is that of a place; places which are not wanted are never looked up.
    number = torch.zeros(wanted.numel(), dtype=torch.long, device=device)
    number[found] = torch.arange(len(found), device=device)
    # Hundreds of nats leave float32 few digits below 1: the terms are added in double.
    total = torch.zeros(len(sequences), dtype=torch.float64, device=device)
    return total.index_add(0, owners, logprobs[number[places]] * weight).to(logprobs.dtype)


def _terms(
    packed: Sequence[PackedRow], weights: Sequence[Sequence[float]], rows: Sequence[tuple[int, ...]]
) -> tuple[array[int], array[int], array[float]]:
    """Of each weighted token of each sequence: the sequence, its place in the flattened batch, its weight."""
    owners, places, values = array("q"), array("q"), array("d")
    width = max(map(len, packed))
    for row, (members, tree) in enumerate(zip(rows, packed, strict=True)):
        for number, path in zip(members, tree.places, strict=True):
            for place, weight in zip(path[1:], weights[number][1:], strict=True):
                if weight:
                    owners.append(number)
                    places.append(row * width + place)
                    values.append(weight)
    return owners, places, values


def _check(
    sequences: Sequence[Sequence[int]], weights: Sequence[Sequence[float]], rows: Sequence[tuple[int, ...]]
) -> None:
    members = sorted(number for row in rows for number in row)
    if members != list(range(len(sequences))) or not all(rows):
        raise ValueError(f"rows: each of {len(sequences)} sequences belongs in exactly one row, not {rows}")
    lengths = [len(sequence) for sequence in sequences]
    if not all(lengths) or lengths != [len(own) for own in weights]:
        raise ValueError("each sequence needs a token, and a weight for each of its tokens")
