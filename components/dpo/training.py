"""From token pairs and settings to trained weights: the frozen reference, then the steps."""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import nn

from components.dpo.micro_batches import prompt_of
from components.dpo.objective import NEEDS_REFERENCE, PreferenceObjective
from components.dpo.pairs import TokenPair
from components.dpo.settings import DPOSettings
from components.policy.checkpoints import Checkpoints
from components.policy.distributed import is_first_process
from components.policy.step_trainer import StepTrainer
from components.policy.training_loop import LogRow, TrainingResult, train_steps


class PairLogRow(LogRow):
    """One optimizer step; means over its pairs.

    reward_margin: see `objective.reward_margins`. reward_accuracy: share of pairs whose margin is above 0, ties
    counting half. chosen_logprob, rejected_logprob: of the policy, nats a trained token.
    """

    reward_margin: float
    reward_accuracy: float
    chosen_logprob: float
    rejected_logprob: float


def train(
    model: nn.Module,
    pairs: Sequence[TokenPair],
    settings: DPOSettings,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult[PairLogRow]:
    """Train `model` in place against itself as it came in; see `train_steps` for what it raises.

    pairs: numbered by their places.
    """
    objective = PreferenceObjective(settings, len(pairs))

    def keep_reference(trainer: StepTrainer, steps: Sequence[Sequence[int]]) -> None:
        if settings.loss in NEEDS_REFERENCE:
            # All that a loss takes from the reference are these numbers, and the reference never changes: the
            # weights that came in, not trained yet, give once what a frozen copy of them would give each time. A
            # resumed run comes here with those weights too, before it loads its checkpoint.
            first_epoch = steps[: len(steps) // settings.epochs]
            fill_reference(trainer, objective, [[pairs[number] for number in step] for step in first_epoch])

    return train_steps(
        model,
        pairs,
        settings,
        objective,
        lambda: [prompt_of(pair) for pair in pairs],
        PairLogRow,
        checkpoints,
        prepare=keep_reference,
    )


def fill_reference(
    trainer: StepTrainer, objective: PreferenceObjective, steps: Sequence[Sequence[TokenPair]]
) -> None:
    """Put the log-probabilities of the trainer's model, dropout off, of all pairs into `objective.reference`.

    steps: this process's share of the first epoch, which the model sees in the micro-batches it is trained in: before
    the first step policy and reference are then equal to the last bit, in bfloat16 too.
    """
    if is_first_process():
        print(
            f"[{objective.stage}] the reference's log-probabilities of {len(objective.reference)} pairs",
            flush=True,
        )
    model: Any = trainer.model
    model.eval()
    found: list[tuple[int, list[float]]] = []
    for step in steps:
        values = _of_step(trainer, objective, step)
        while values is None:
            trainer.halve_micro_batch(step)
            values = _of_step(trainer, objective, step)
        found += values
    for number, value in gather_object(found):
        objective.reference[number] = torch.tensor(value)


@torch.no_grad()  # type: ignore[untyped-decorator]
def _of_step(
    trainer: StepTrainer, objective: PreferenceObjective, step: Sequence[TokenPair]
) -> list[tuple[int, list[float]]] | None:
    """(pair's number, [chosen, rejected]) of each; None when memory ran out."""
    found: list[tuple[int, list[float]]] = []
    try:
        for micro_batch in objective.plan(step, trainer.micro_batch, trainer.hidden_size):
            with trainer.accelerator.autocast():
                values = objective.logprobs(trainer.model, micro_batch.collate())
            numbers = (pair.number for pair in micro_batch.examples)
            found += zip(numbers, values.tolist(), strict=True)
    except torch.OutOfMemoryError:
        return None
    return found
