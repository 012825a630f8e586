"""transformers' Trainer with our batches and our loss.

One item of the Trainer's dataset is a whole optimizer step; the step is cut into micro-batches inside
`training_step`. That way neither the micro-batch nor running out of memory in the middle of a step
changes what is trained on: every micro-batch's loss is divided by the weight of the whole step. Nor does it matter
whether examples that begin alike are encoded together (`micro_batches`).
"""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from components.contracts.errors import InputError
from components.policy.finite import NonFiniteError
from components.policy.loss import supervised_cross_entropy, tree_cross_entropy
from components.policy.tree_attention import prepare_for_trees
from components.sft.dataset import Example
from components.sft.micro_batches import Batch, plan_micro_batches


class Steps(Dataset[list[Example]]):
    """One item an optimizer step (and process, if there are several): its examples."""

    def __init__(self, examples: Sequence[Example], steps: Sequence[Sequence[int]]) -> None:
        self.examples = examples
        self.steps = steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> list[Example]:
        return [self.examples[number] for number in self.steps[index]]


class PolicyTrainer(Trainer):  # type: ignore[misc]
    """Trains on `Steps` at supervised positions only.

    args: gradient accumulation and per-device batch must be 1 (see the module's docstring).
    micro_batch: examples a forward pass at most; halved when memory runs out.
    share_prefixes: encode what a step's examples have in common once, where that saves time; a forward pass then
        takes more examples, but no more tokens than `micro_batch` of the longest.
    """

    def __init__(
        self,
        model: nn.Module,
        args: TrainingArguments,
        steps: Steps,
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
        self.micro_batch = micro_batch
        config: Any = model.config
        self.hidden_size = config.get_text_config().hidden_size if share_prefixes else None

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Accumulate the gradient of one optimizer step; returns its loss, detached.

        Raises:
            NonFiniteError: the loss or the gradient is NaN or infinite; names step and traces.
            InputError: out of memory with a single example.
        """
        model.train()
        examples: list[Example] = inputs["examples"]
        total = self._weight_of_step(examples)
        loss = self._accumulate(model, examples, total)
        while loss is None:
            self._halve_micro_batch(max(len(example.ids) for example in examples))
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
        """Cross-entropy of one micro-batch (linear or shared rows), summed and divided by `num_items_in_batch`.

        num_items_in_batch: the weight of the whole optimizer step over all processes; without it, that
            of the micro-batch. Times the number of processes, since they average their gradients.
        """
        weights = inputs["weights"]
        loss: Tensor = (
            tree_cross_entropy(model, inputs)
            if "parents" in inputs
            else supervised_cross_entropy(model, inputs["input_ids"], inputs["attention_mask"], weights)
        )
        if num_items_in_batch is None:
            return loss
        share = weights[:, 1:].sum() / num_items_in_batch
        scaled: Tensor = loss * share * self.accelerator.num_processes
        return scaled

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the Trainer's estimate needs one tensor a step."""
        return 0

    def _accumulate(self, model: nn.Module, examples: Sequence[Example], total: float) -> Tensor | None:
        """The step's loss, its gradient added to the parameters'; None when memory ran out."""
        step_loss = torch.zeros((), device=self.args.device)
        planned = plan_micro_batches(examples, self.micro_batch, hidden_size=self.hidden_size)
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
        return step_loss

    def _weight_of_step(self, examples: Sequence[Example]) -> float:
        weight = math.fsum(math.fsum(example.weights[1:]) for example in examples)
        if self.accelerator.num_processes == 1:
            return weight
        mine = torch.tensor(weight, dtype=torch.float64, device=self.args.device)
        return float(self.accelerator.reduce(mine, reduction="sum"))

    def _halve_micro_batch(self, longest: int) -> None:
        if self.accelerator.num_processes > 1:
            raise InputError(
                f"sft_settings: micro_batch: out of memory with {self.micro_batch} examples of up to {longest} "
                "tokens; choose a smaller one (several processes can't change it on the way)"
            )
        if self.micro_batch == 1:
            raise InputError(
                f"sft_settings: max_tokens: out of memory with one example of {longest} tokens; choose a smaller "
                "max_tokens, gradient_checkpointing, qlora or a larger accelerator"
            )
        self.micro_batch = max(1, self.micro_batch // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        print(
            f"[sft] out of memory: micro_batch is now {self.micro_batch}, the gradient stays the same",
            flush=True,
        )

    def _require_finite(self, what: str, value: Tensor, examples: Sequence[Example]) -> None:
        whole = value.full_tensor() if hasattr(value, "full_tensor") else value
        if not bool(torch.isfinite(whole)):
            raise NonFiniteError(
                f"step {self.state.global_step + 1}: {what} is {float(whole)}; stopped before the optimizer step; "
                f"traces of the batch: {', '.join(example.trace_id for example in examples)}"
            )
