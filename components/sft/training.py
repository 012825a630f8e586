"""What supervised fine-tuning trains on: weighted cross-entropy of the examples' supervised tokens."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

from torch import nn

from components.policy.checkpoints import Checkpoints
from components.policy.loss import supervised_cross_entropy, tree_cross_entropy
from components.policy.step_trainer import Batch, Loss, MicroBatch
from components.policy.training_loop import LogRow, TrainingResult, train_steps
from components.sft.dataset import Example
from components.sft.micro_batches import plan_micro_batches
from components.sft.settings import SFTSettings


class SupervisedObjective:
    """Mean cross-entropy over a step's supervised tokens, in nats (see `step_trainer.Objective`)."""

    stage = SFTSettings.stage

    def name(self, example: Example) -> str:
        """The trace's id."""
        return example.trace_id

    def tokens(self, example: Example) -> int:
        """Of the whole conversation."""
        return len(example.ids)

    longest = tokens

    def weight(self, example: Example) -> float:
        """The sum of the weights of its tokens; nothing predicts the first."""
        return math.fsum(example.weights[1:])

    def plan(
        self, examples: Sequence[Example], micro_batch: int, hidden_size: int | None
    ) -> list[MicroBatch[Example]]:
        """See `plan_micro_batches`."""
        return plan_micro_batches(examples, micro_batch, hidden_size=hidden_size)

    def loss(self, model: Any, batch: Batch) -> Loss:
        """Of linear or shared rows."""
        weights = batch["weights"]
        mean = (
            tree_cross_entropy(model, batch)
            if "parents" in batch
            else supervised_cross_entropy(model, batch["input_ids"], batch["attention_mask"], weights)
        )
        return Loss(mean, weights[:, 1:].sum())


def train(
    model: nn.Module,
    examples: Sequence[Example],
    settings: SFTSettings,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult[LogRow]:
    """Train `model` in place on `examples`; see `train_steps` for what it raises."""
    return train_steps(
        model,
        examples,
        settings,
        SupervisedObjective(),
        lambda: [prompt_of(example) for example in examples],
        LogRow,
        checkpoints,
    )


def prompt_of(example: Example) -> array[int]:
    """The ids before the first token that is trained."""
    trained = (position for position, weight in enumerate(example.weights) if position and weight > 0)
    return example.ids[: next(trained, len(example.ids))]
