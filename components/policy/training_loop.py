"""From examples, an objective and settings to trained weights: the Trainer's arguments, resuming, progress."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from components.contracts.errors import InputError
from components.contracts.progress import Progress
from components.contracts.records import Record
from components.policy.checkpoints import CheckpointCallback, Checkpoints
from components.policy.distributed import is_first_process, process_count
from components.policy.step_trainer import Example, Objective, Steps, StepTrainer
from components.policy.training_schedule import find_families, plan_steps, shares, warm_up_steps
from components.policy.training_settings import TrainingSettings
from components.policy.tree_attention import supports_trees

FEW_STEPS = 4  # with fewer, Adam's moments are of hardly any gradients
SCHEDULERS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


class LogRow(Record):
    """One optimizer step, a line of `training_log.jsonl`.

    step: from 1. loss: the step's mean. gradient_norm: before clipping. tokens: of the step, padding not counted.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int


Row = TypeVar("Row", bound=LogRow)


@dataclass(frozen=True)
class TrainingResult(Generic[Row]):
    """What came of one training run; `log` has one row a step."""

    log: tuple[Row, ...]
    steps: int
    micro_batch: int
    checkpoints_failed: int
    resumed_from: int  # step, 0 when training began at the beginning


def train_steps(
    model: nn.Module,
    examples: Sequence[Example],
    settings: TrainingSettings,
    objective: Objective[Example],
    prompts: Callable[[], Sequence[Sequence[int]]],
    row_type: type[Row],
    checkpoints: Checkpoints | None = None,
    *,
    prepare: Callable[[StepTrainer, Sequence[Sequence[int]]], None] | None = None,
    plan: Callable[..., list[tuple[int, ...]]] = plan_steps,
) -> TrainingResult[Row]:
    """Train `model` in place; goes on from the newest whole checkpoint when there is one.

    prompts: gives the ids that each example begins with, by which it can share its encoding with others.
    row_type: of the log; fields beyond those of `LogRow` are the objective's figures.
    prepare: called once before training, on the weights as they came in, with the trainer and the indices of the
        examples of each step that this process takes.
    plan: gives the examples of each step; takes what `plan_steps` does.

    Raises:
        NonFiniteError: a loss or gradient was NaN or infinite; parameters are as before that step.
        InputError: out of memory with a single example; fewer examples than processes.
    """
    processes = process_count()
    sharing = settings.share_prefixes and supports_trees(model)
    families = find_families(prompts()) if sharing else None
    siblings = families is not None and len(set(families)) < len(examples)
    steps = plan(
        len(examples),
        settings.batch_size,
        settings.epochs,
        settings.seed,
        processes=processes,
        families=families,
    )
    if (smallest := min(map(len, steps))) < processes:
        raise InputError(
            f"{settings.stage}_settings: batch_size: {settings.batch_size} of {len(examples)} examples: a step of "
            f"{smallest} can't be shared by {processes} processes; expected at least one for each"
        )
    if len(steps) < FEW_STEPS and is_first_process():
        print(
            f"[{settings.stage}] few optimizer steps: {len(steps)}, of {len(examples)} examples with batch_size "
            f"{settings.batch_size}; a smaller batch_size gives more",
            flush=True,
        )
    shared = [shares(step, processes, together=siblings) for step in steps]
    keeper = CheckpointCallback(checkpoints) if checkpoints is not None else None
    with work_folder(_device(model), settings.stage) as work, tempfile.TemporaryDirectory() as own:
        arguments = training_arguments(settings, work, device=_device(model), saves=keeper is not None)
        arguments.warmup_steps = warm_up_steps(len(steps), settings.warmup)
        trainer = StepTrainer(
            model,
            arguments,
            Steps(examples, [share for step in shared for share in step]),
            objective,
            micro_batch=settings.micro_batch,
            share_prefixes=sharing,
            callbacks=[ProgressCallback(settings.stage), *([keeper] if keeper else [])],
        )
        if prepare is not None:
            prepare(trainer, [step[trainer.accelerator.process_index] for step in shared])
        newest = checkpoints.newest(Path(own)) if checkpoints is not None else None
        resumed_from = (
            TrainerState.load_from_json(str(newest / "trainer_state.json")).global_step if newest else 0
        )
        if newest and is_first_process():
            print(f"[{settings.stage}] goes on after step {resumed_from} of {len(steps)}", flush=True)
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    tokens = [sum(objective.tokens(examples[number]) for number in step) for step in steps]
    return TrainingResult(
        log=tuple(_log_row(row_type, row, tokens) for row in trainer.state.log_history if "loss" in row),
        steps=len(steps),
        micro_batch=trainer.micro_batch,
        checkpoints_failed=keeper.failed if keeper else 0,
        resumed_from=resumed_from,
    )


@contextmanager
def work_folder(device: torch.device, stage: str) -> Iterator[Path]:
    """A temporary folder that all processes share, each adding its files to the same checkpoint."""
    state = PartialState(cpu=device.type == "cpu")
    with tempfile.TemporaryDirectory(prefix=f"whetstone-{stage}-") as own:
        yield Path(broadcast_object_list([own])[0])
        state.wait_for_everyone()


def training_arguments(
    settings: TrainingSettings, work: Path, *, device: torch.device, saves: bool
) -> TrainingArguments:
    """The Trainer's own arguments; one dataset item is one optimizer step."""
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=1,  # the plan of steps holds all epochs
        per_device_train_batch_size=1,
        gradient_accumulation_steps=1,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=SCHEDULERS[settings.scheduler],
        weight_decay=settings.weight_decay,
        adam_beta2=settings.beta2,
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.method == "full" and settings.dtype == "bfloat16",
        activation_checkpointing=settings.gradient_checkpointing and device.type == "cuda",
        activation_checkpointing_kwargs={"use_reentrant": False},
        use_cpu=device.type == "cpu",
        seed=settings.seed,
        save_strategy="steps" if saves else "no",
        save_steps=settings.save_every,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=_trackers(),
        disable_tqdm=True,
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=False,
    )


class ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """Shows each optimizer step and its loss. stage: what log lines begin with."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start counting; a resumed run starts at its checkpoint's step."""
        self.progress = Progress(self.stage, state.max_steps, start=state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Show the step just logged."""
        logs = kwargs.get("logs") or {}
        if "loss" in logs and state.is_world_process_zero:
            self.progress.advance(loss=logs["loss"], learning_rate=logs["learning_rate"])


def _log_row(row_type: type[Row], row: Mapping[str, Any], tokens: Sequence[int]) -> Row:
    """The Trainer's row under our names, without what is its own."""
    renamed = {**row, "gradient_norm": row["grad_norm"], "tokens": tokens[row["step"] - 1]}
    return row_type(**{name: value for name, value in renamed.items() if name in row_type.model_fields})


def _trackers() -> list[str]:
    wanted = bool(os.environ.get("MLFLOW_TRACKING_URI"))
    return ["mlflow"] if wanted and importlib.util.find_spec("mlflow") else []


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
