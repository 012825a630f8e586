"""transformers' Trainer with our batches and a stage's loss.

One item of the Trainer's dataset is a whole optimizer step; the step is cut into micro-batches inside
`training_step`. That way neither the micro-batch nor running out of memory in the middle of a step
changes what is trained on: every micro-batch's loss is divided by the weight of the whole step. Nor does it matter
whether examples that begin alike are encoded together.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from components.contracts.errors import InputError
from components.policy.finite import NonFiniteError
from components.policy.tree_attention import prepare_for_trees

Example = TypeVar("Example")
Batch = dict[str, Any]


@dataclass(frozen=True)
class MicroBatch(Generic[Example]):
    """Examples of one forward pass, and what makes their batch."""

    examples: tuple[Example, ...]
    collate: Callable[[], Batch]


@dataclass(frozen=True)
class Loss:
    """Of one micro-batch. mean: over what it weighs. weight: its part of the step's weight.

    sums: figures to log, weighted sums over the micro-batch, without gradient; the step's are divided by its weight.
    """

    mean: Tensor
    weight: Tensor | float
    sums: Mapping[str, Tensor] = field(default_factory=dict)


class Objective(Protocol[Example]):
    """What a stage trains on, and by which loss."""

    stage: str

    def name(self, example: Example) -> str:
        """What an error calls the example."""

    def tokens(self, example: Example) -> int:
        """Its tokens, padding not counted."""

    def longest(self, example: Example) -> int:
        """The tokens of its longest sequence."""

    def weight(self, example: Example) -> float:
        """What it counts in the step's mean."""

    def plan(
        self, examples: Sequence[Example], micro_batch: int, hidden_size: int | None
    ) -> list[MicroBatch[Example]]:
        """The step's micro-batches. hidden_size: of the model, None where nothing may be shared."""

    def loss(self, model: Any, batch: Batch) -> Loss:
        """Of what `MicroBatch.collate` gave, its tensors on the model's device."""


class Steps(Dataset[list[Example]]):
    """One item an optimizer step (and process, if there are several): its examples."""

    def __init__(self, examples: Sequence[Example], steps: Sequence[Sequence[int]]) -> None:
        self.examples = examples
        self.steps = steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> list[Example]:
        return [self.examples[number] for number in self.steps[index]]


class StepTrainer(Trainer):  # type: ignore[misc]
    """Trains on `Steps` by an objective.

    args: gradient accumulation and per-device batch must be 1 (see the module's docstring).
    micro_batch: examples a forward pass at most; halved when memory runs out.
    share_prefixes: encode what a step's examples have in common once, where that saves time; a forward pass then
        takes more examples, but no more tokens than `micro_batch` of the longest.
    """

    def __init__(
        self,
        model: nn.Module,
        args: TrainingArguments,
        steps: Steps[Any],
        objective: Objective[Any],
        *,
        micro_batch: int,
        share_prefixes: bool = False,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        if share_prefixes:
            prepare_for_trees(model)
        super().__init__(
            model=model,
            args=args,
            train_dataset=steps,
            data_collator=lambda items: {"examples": items[0]},
            callbacks=list(callbacks),
        )
        self.remove_callback(PrinterCallback)
        self.objective: Objective[Any] = objective
        self.micro_batch = micro_batch
        config: Any = model.config
        self.hidden_size = config.get_text_config().hidden_size if share_prefixes else None
        self.figures: dict[str, float] = {}  # of the last step

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Accumulate the gradient of one optimizer step; returns its loss, detached.

        Raises:
            NonFiniteError: the loss or the gradient is NaN or infinite; names step and examples.
            InputError: out of memory with a single example.
        """
        model.train()
        examples: list[Any] = inputs["examples"]
        total = self._weight_of_step(examples)
        loss = self._accumulate(model, examples, total)
        while loss is None:
            self.halve_micro_batch(examples)
            model.zero_grad()
            loss = self._accumulate(model, examples, total)
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        self._require_finite("gradient", get_total_norm(gradients), examples)
        return loss

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | float | None = None,
    ) -> Tensor:
        """The objective's loss of one micro-batch, times its weight and divided by `num_items_in_batch`.

        num_items_in_batch: the weight of the whole optimizer step over all processes; without it, that
            of the micro-batch. Times the number of processes, since they average their gradients.
        """
        found = self.objective.loss(model, inputs)
        if num_items_in_batch is None:
            return found.mean
        for name, value in found.sums.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().double()
        share = found.weight / num_items_in_batch
        scaled: Tensor = found.mean * share * self.accelerator.num_processes
        return scaled

    def log(self, logs: dict[str, float], *arguments: Any, **named: Any) -> None:
        """As the Trainer does; a step's row gets the objective's figures too."""
        super().log({**logs, **self.figures} if "loss" in logs else logs, *arguments, **named)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the Trainer's estimate needs one tensor a step."""
        return 0

    def halve_micro_batch(self, examples: Sequence[Any]) -> None:
        """Go on with smaller micro-batches after memory ran out with `examples`.

        Raises:
            InputError: there are no smaller ones, or there are several processes.
        """
        longest = max(map(self.objective.longest, examples))
        stage = self.objective.stage
        if self.accelerator.num_processes > 1:
            raise InputError(
                f"{stage}_settings: micro_batch: out of memory with {self.micro_batch} examples of up to {longest} "
                "tokens; choose a smaller one (several processes can't change it on the way)"
            )
        if self.micro_batch == 1:
            raise InputError(
                f"{stage}_settings: max_tokens: out of memory with one example of {longest} tokens; choose a smaller "
                "max_tokens, gradient_checkpointing, qlora or a larger accelerator"
            )
        self.micro_batch = max(1, self.micro_batch // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        print(
            f"[{stage}] out of memory: micro_batch is now {self.micro_batch}, the gradient stays the same",
            flush=True,
        )

    def _accumulate(self, model: nn.Module, examples: Sequence[Any], total: float) -> Tensor | None:
        """The step's loss, its gradient added to the parameters'; None when memory ran out."""
        step_loss = torch.zeros((), device=self.args.device)
        self._sums: dict[str, Any] = {}
        planned = self.objective.plan(examples, self.micro_batch, self.hidden_size)
        try:
            for number, micro_batch in enumerate(planned):
                batch = self._prepare_inputs(micro_batch.collate())
                last = number == len(planned) - 1
                with nullcontext() if last else self.accelerator.no_sync(model):
                    with self.compute_loss_context_manager():
                        loss = self.compute_loss(model, batch, num_items_in_batch=total)
                    self._require_finite("loss", loss.detach(), micro_batch.examples)
                    self.accelerator.backward(loss)
                step_loss += loss.detach()
        except torch.OutOfMemoryError:
            return None
        self.figures = {name: self._over_processes(value) / total for name, value in self._sums.items()}
        return step_loss

    def _weight_of_step(self, examples: Sequence[Any]) -> float:
        return self._over_processes(math.fsum(map(self.objective.weight, examples)))

    def _over_processes(self, mine: Tensor | float) -> float:
        """The sum of a number over all processes."""
        if self.accelerator.num_processes == 1:
            return float(mine)
        own = torch.as_tensor(mine, dtype=torch.float64, device=self.args.device)
        return float(self.accelerator.reduce(own, reduction="sum"))

    def _require_finite(self, what: str, value: Tensor, examples: Sequence[Any]) -> None:
        whole = value.full_tensor() if hasattr(value, "full_tensor") else value
        if not bool(torch.isfinite(whole)):
            named = dict.fromkeys(map(self.objective.name, examples))
            raise NonFiniteError(
                f"step {self.state.global_step + 1}: {what} is {float(whole)}; stopped before the optimizer step; "
                f"examples of the batch: {', '.join(named)}"
            )
