"""What supervised fine-tuning trains on: weighted cross-entropy of the examples' supervised tokens."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from components.contracts.records import Difficulty
from components.policy.checkpoints import Checkpoints
from components.policy.distributed import process_count
from components.policy.loss import supervised_cross_entropy, tree_cross_entropy
from components.policy.step_trainer import Batch, Loss, MicroBatch
from components.policy.training_loop import LogRow, TrainingResult, train_steps
from components.policy.training_schedule import batch_sizes, plan_phases, plan_steps
from components.scoring.difficulty import THIRDS, divide
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


class SupervisedLogRow(LogRow):
    """difficulty: the third of the examples that the step is of; empty where steps take any."""

    difficulty: Difficulty = ""


def train(
    model: nn.Module,
    examples: Sequence[Example],
    settings: SFTSettings,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult[SupervisedLogRow]:
    """Train `model` in place on `examples`, in the order of the curriculum; see `train_steps` for what it raises.

    The thirds are phases of one run: the loss is their sum (iTool, equation 3), the optimizer keeps what it knows of
    the gradients, the schedule of the learning rate is one, and so the mixed control differs in order alone.
    """
    plan, thirds = plan_steps, list[Difficulty]()
    if settings.curriculum != "none":
        thirds = divide([example.demand for example in examples])
        phases = [THIRDS.index(third) for third in thirds]
        plan = partial(plan_phases, phases, mixed=settings.curriculum == "mixed")
    result = train_steps(
        model,
        examples,
        settings,
        SupervisedObjective(),
        lambda: [prompt_of(example) for example in examples],
        SupervisedLogRow,
        checkpoints,
        plan=plan,
    )
    if settings.curriculum != "easy_to_hard":
        return result
    named = difficulty_by_step(thirds, settings.batch_size, settings.epochs, process_count())
    log = (row.model_copy(update={"difficulty": named[row.step - 1]}) for row in result.log)
    return replace(result, log=tuple(log))


def difficulty_by_step(
    thirds: Sequence[Difficulty], batch_size: int, epochs: int, processes: int = 1
) -> list[Difficulty]:
    """Of each step from easy to hard, the third that it is of."""
    lengths = {
        third: len(batch_sizes(thirds.count(third), batch_size, processes)) * epochs for third in THIRDS
    }
    return [third for third, length in lengths.items() for _ in range(length)]


def prompt_of(example: Example) -> array[int]:
    """The ids before the first token that is trained."""
    trained = (position for position, weight in enumerate(example.weights) if position and weight > 0)
    return example.ids[: next(trained, len(example.ids))]
