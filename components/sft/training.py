"""From examples and settings to trained weights: the Trainer's arguments, resuming, progress."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from components.policy.tree_attention import supports_trees
from components.sft.dataset import Example
from components.sft.schedule import find_families, plan_steps, shares
from components.sft.settings import SFTSettings
from components.sft.trainer import PolicyTrainer, Steps

SCHEDULERS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


class LogRow(Record):
    """One optimizer step, a line of `training_log.jsonl`.

    step: from 1. loss: mean over the step's supervised tokens, in nats. gradient_norm: before clipping.
    tokens: of the step, padding not counted.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int


@dataclass(frozen=True)
class TrainingResult:
    """What came of one training run."""

    log: tuple[LogRow, ...]
    steps: int
    micro_batch: int
    checkpoints_failed: int
    resumed_from: int  # step, 0 when training began at the beginning


def train(
    model: nn.Module,
    examples: Sequence[Example],
    settings: SFTSettings,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Train `model` in place; goes on from the newest whole checkpoint when there is one.

    Raises:
        NonFiniteError: a loss or gradient was NaN or infinite; parameters are as before that step.
        InputError: out of memory with a single example; fewer examples than processes.
    """
    processes = process_count()
    if min(settings.batch_size, len(examples)) < processes:
        raise InputError(
            f"sft_settings: batch_size: {settings.batch_size} of {len(examples)} examples can't be shared "
            f"by {processes} processes; expected at least one for each"
        )
    sharing = settings.share_prefixes and supports_trees(model)
    families = find_families([prompt_of(example) for example in examples]) if sharing else None
    siblings = families is not None and len(set(families)) < len(examples)
    steps = plan_steps(
        len(examples),
        settings.batch_size,
        settings.epochs,
        settings.seed,
        processes=processes,
        families=families,
    )
    keeper = CheckpointCallback(checkpoints) if checkpoints is not None else None
    with work_folder(_device(model)) as work, tempfile.TemporaryDirectory() as own:
        trainer = PolicyTrainer(
            model,
            training_arguments(settings, work, device=_device(model), saves=keeper is not None),
            Steps(
                examples, [share for step in steps for share in shares(step, processes, together=siblings)]
            ),
            micro_batch=settings.micro_batch,
            share_prefixes=sharing,
            callbacks=[ProgressCallback(), *([keeper] if keeper else [])],
        )
        newest = checkpoints.newest(Path(own)) if checkpoints is not None else None
        resumed_from = (
            TrainerState.load_from_json(str(newest / "trainer_state.json")).global_step if newest else 0
        )
        if newest and is_first_process():
            print(f"[sft] goes on after step {resumed_from} of {len(steps)}", flush=True)
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    tokens = [sum(len(examples[number].ids) for number in step) for step in steps]
    return TrainingResult(
        log=tuple(_log_row(row, tokens) for row in trainer.state.log_history if "loss" in row),
        steps=len(steps),
        micro_batch=trainer.micro_batch,
        checkpoints_failed=keeper.failed if keeper else 0,
        resumed_from=resumed_from,
    )


def prompt_of(example: Example) -> array[int]:
    """The ids before the first token that is trained."""
    trained = (position for position, weight in enumerate(example.weights) if position and weight > 0)
    return example.ids[: next(trained, len(example.ids))]


@contextmanager
def work_folder(device: torch.device) -> Iterator[Path]:
    """A temporary folder that all processes share, each adding its files to the same checkpoint."""
    state = PartialState(cpu=device.type == "cpu")
    with tempfile.TemporaryDirectory(prefix="whetstone-sft-") as own:
        yield Path(broadcast_object_list([own])[0])
        state.wait_for_everyone()


def training_arguments(
    settings: SFTSettings, work: Path, *, device: torch.device, saves: bool
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
        warmup_steps=settings.warmup,
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
    """Shows each optimizer step and its loss."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start counting; a resumed run starts at its checkpoint's step."""
        self.progress = Progress("sft", state.max_steps, start=state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Show the step just logged."""
        logs = kwargs.get("logs") or {}
        if "loss" in logs and state.is_world_process_zero:
            self.progress.advance(loss=logs["loss"], learning_rate=logs["learning_rate"])


def _log_row(row: Mapping[str, Any], tokens: Sequence[int]) -> LogRow:
    return LogRow(
        step=row["step"],
        loss=row["loss"],
        learning_rate=row["learning_rate"],
        gradient_norm=row["grad_norm"],
        tokens=tokens[row["step"] - 1],
    )


def _trackers() -> list[str]:
    wanted = bool(os.environ.get("MLFLOW_TRACKING_URI"))
    return ["mlflow"] if wanted and importlib.util.find_spec("mlflow") else []


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
