"""Sequences that share prefixes, as one row: every shared token is encoded once.

The sequences are the paths of a forest; its tokens lie in one row, depth first. A token's position id is its
depth, and it attends to its ancestors and itself (`tree_attention`), so its hidden state is what it would be in
a row of its own. The token after a branching point is predicted by the last shared token: one row position can
predict several tokens, which is why targets are looked up by `parents` and not by "the next token of the row".

Any forest goes: continuations of one prompt, preference pairs, search trees, one sequence that is a prefix of
another, equal sequences, sequences that share nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TreeBatch = dict[str, Tensor]


@dataclass(frozen=True)
class PackedRow:
    """Sequences of token ids packed into one row of T tokens; arrays of 32-bit integers ("i").

    ids, depths, parents, ends: (T,) each. depths: the token's position in its sequences, from 0. parents: row
    position of the token before it, which predicts it; of a first token its own. ends: one past the row
    position of its last descendant, so that q may attend to k exactly when k <= q < ends[k].
    places: for each sequence, in the order given, the row position of each of its tokens.
    """

    ids: array[int]
    depths: array[int]
    parents: array[int]
    ends: array[int]
    places: tuple[array[int], ...]

    def __len__(self) -> int:
        return len(self.ids)


def pack_sequences(sequences: Sequence[Sequence[int]]) -> PackedRow:
    """The forest of `sequences` (all of one type, such as `array`) as a row."""
    ids, depths, parents, ends = (array("i") for _ in range(4))
    places = [array("i")] * len(sequences)
    path = array("i")  # row positions of the sequence before
    before: Sequence[int] = ()
    # In lexicographic order, no earlier sequence shares more with this one than the one just before it.
    for number in lexicographic_order(sequences):
        sequence = sequences[number]
        shared = shared_length(before, sequence)
        for place in path[shared:]:
            ends[place] = len(ids)
        path = path[:shared]
        for depth in range(shared, len(sequence)):
            place = len(ids)
            ids.append(sequence[depth])
            depths.append(depth)
            parents.append(path[-1] if depth else place)
            ends.append(0)
            path.append(place)
        places[number] = path[:]
        before = sequence
    for place in path:
        ends[place] = len(ids)
    return PackedRow(ids, depths, parents, ends, tuple(places))


def weights_of_row(row: PackedRow, weights: Sequence[Sequence[float]]) -> array[float]:
    """(T,) weight of each of the row's tokens as a target: the sum over the sequences that it is in.

    weights: for each sequence, one >= 0 for each of its tokens. First tokens get 0: nothing predicts them.
    """
    total = array("d", [0.0]) * len(row)
    for places, own in zip(row.places, weights, strict=True):
        for place, weight in zip(places[1:], own[1:], strict=True):
            total[place] += weight
    return total


def collate_rows(rows: Sequence[PackedRow], weights: Sequence[Sequence[float]]) -> TreeBatch:
    """Right-padded tensors, each (rows, longest): `input_ids`, `position_ids`, `parents`, `ends`, `weights`.

    weights: of each row's tokens, as from `weights_of_row`. Padding (id 0, weight 0) attends to itself only,
    which keeps its softmax finite, and nothing attends to it.
    """
    shape = len(rows), max(map(len, rows))
    own = torch.arange(shape[1]).repeat(shape[0], 1)
    batch = {
        "input_ids": torch.zeros(shape, dtype=torch.long),
        "position_ids": torch.zeros(shape, dtype=torch.long),
        "parents": own,
        "ends": own + 1,
        "weights": torch.zeros(shape),
    }
    for number, (row, weight) in enumerate(zip(rows, weights, strict=True)):
        columns = (row.ids, row.depths, row.parents, row.ends, weight)
        for tensor, column in zip(batch.values(), columns, strict=True):
            tensor[number, : len(row)] = torch.tensor(column, dtype=tensor.dtype)
    return batch


def lexicographic_order(sequences: Sequence[Sequence[int]]) -> list[int]:
    """Indices of the sequences, sorted by their ids; equal ones keep their order."""
    return sorted(range(len(sequences)), key=lambda number: sequences[number])  # type: ignore[arg-type,return-value]


def shared_length(first: Sequence[int], second: Sequence[int]) -> int:
    """How many leading tokens are the same in both."""
    shortest = min(len(first), len(second))
    pairs = enumerate(zip(first, second, strict=False))
    return next((position for position, (left, right) in pairs if left != right), shortest)
