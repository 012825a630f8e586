"""How the examples of an optimizer step go through the model: in shared rows where that pays, else one a row."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from components.policy.prefix_tree import collate_rows, pack_sequences, weights_of_row
from components.policy.shared_rows import MAX_SHARED_ROW, plan_rows
from components.policy.step_trainer import MicroBatch
from components.policy.training_schedule import split_by_tokens, split_micro_batches
from components.sft.dataset import Example


def plan_micro_batches(
    examples: Sequence[Example], size: int, *, hidden_size: int | None = None
) -> list[MicroBatch[Example]]:
    """The step's micro-batches: those of shared rows, then those of `size` linear rows at most.

    A micro-batch of shared rows has no more tokens than `size` rows as long as the longest example.
    hidden_size: of the model, to know what sharing saves; None never shares.
    """
    longest = max(len(example.ids) for example in examples)
    alone, shared = list(range(len(examples))), []
    if hidden_size is not None and size > 1:
        limit = min(size * longest, MAX_SHARED_ROW)
        plan = plan_rows([example.ids for example in examples], hidden_size=hidden_size, max_tokens=limit)
        alone = sorted(row[0] for row in plan if len(row) == 1)
        shared = [[examples[position] for position in row] for row in plan if len(row) > 1]
    packed = [pack_sequences([example.ids for example in row]) for row in shared]
    weights = [
        weights_of_row(row, [example.weights for example in members])
        for row, members in zip(packed, shared, strict=True)
    ]
    batches = [
        MicroBatch(
            tuple(example for number in group for example in shared[number]),
            partial(
                collate_rows, [packed[number] for number in group], [weights[number] for number in group]
            ),
        )
        for group in split_by_tokens([len(row) for row in packed], size * longest)
    ]
    for group in split_micro_batches([len(examples[position].ids) for position in alone], size):
        members = tuple(examples[alone[number]] for number in group)
        batches.append(MicroBatch(members, partial(collate, members)))
    return batches


def collate(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Right-padded rows: `input_ids`, `attention_mask` and `weights`, each (len(examples), longest).

    The padding id is 0: padding has neither attention nor weight, so any id gives the same loss.
    """
    width = max(len(example.ids) for example in examples)
    input_ids = torch.zeros(len(examples), width, dtype=torch.long)
    attention_mask = torch.zeros(len(examples), width, dtype=torch.long)
    weights = torch.zeros(len(examples), width)
    for row, example in enumerate(examples):
        input_ids[row, : len(example.ids)] = torch.frombuffer(example.ids, dtype=torch.int32)
        attention_mask[row, : len(example.ids)] = 1
        weights[row, : len(example.ids)] = torch.frombuffer(example.weights, dtype=torch.float32)
    return {"input_ids": input_ids, "attention_mask": attention_mask, "weights": weights}
