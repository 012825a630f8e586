"""Training on shared prefixes is training on separate rows, only sooner."""

from array import array
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from components.policy.checkpoints import Checkpoints
from components.policy.step_trainer import Steps, StepTrainer
from components.policy.trainable import load_trainable
from components.policy.training_loop import training_arguments
from components.sft.dataset import Example
from components.sft.micro_batches import plan_micro_batches
from components.sft.settings import SFTSettings
from components.sft.training import SupervisedObjective, train
from components.storage import open_storage
from tests.tiny_model import build_tiny_model

SETTINGS = SFTSettings(
    dtype="float32", learning_rate=0.01, batch_size=8, micro_batch=4, epochs=2, lora_rank=4, save_every=1
)
HIDDEN = 32


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"), hidden=HIDDEN)


def make_examples(prompts: int, continuations: int, *, first_turn: bool = True) -> list[Example]:
    """Two turns each; siblings have the same prompt. Weights are not all the same."""
    generator = torch.Generator().manual_seed(3)

    def tokens(count: int) -> list[int]:
        return torch.randint(3, 250, (count,), generator=generator).tolist()

    system, examples = tokens(20), []
    for prompt in range(prompts):
        question = tokens(100 + prompt)
        for number in range(continuations):
            turn, reply, answer = tokens(5 + number), tokens(4), tokens(3)
            weights = [0.0] * (20 + len(question))
            weights += [1.0 + number if first_turn else 0.0] * len(turn) + [0.0] * 4 + [1.0] * 3
            ids = [*system, *question, *turn, *reply, *answer]
            examples.append(Example(f"{prompt}-{number}", array("i", ids), array("f", weights)))
    return examples


def gradient(
    base_model: Path, examples: list[Example], work: Path, *, share: bool
) -> tuple[float, Tensor, Any]:
    model = load_trainable(str(base_model), SETTINGS, "hermes").model
    arguments = training_arguments(SETTINGS, work, device=torch.device("cpu"), saves=False)
    steps = Steps(examples, [tuple(range(len(examples)))])
    trainer = StepTrainer(model, arguments, steps, SupervisedObjective(), micro_batch=4, share_prefixes=share)
    model.zero_grad()
    loss = trainer.training_step(trainer.model, {"examples": examples})
    return (
        float(loss),
        torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None]),
        trainer,
    )


@pytest.mark.parametrize("first_turn", [True, False])
def test_gradient_of_a_step_is_that_of_separate_rows(
    base_model: Path, tmp_path: Path, first_turn: bool
) -> None:
    """Some siblings, some alone: shared and linear micro-batches in one step."""
    examples = make_examples(2, 4, first_turn=first_turn) + make_examples(5, 1)[2:]
    loss, found, _ = gradient(base_model, examples, tmp_path, share=True)
    expected_loss, expected, _ = gradient(base_model, examples, tmp_path, share=False)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_siblings_are_encoded_once_within_the_tokens_of_a_micro_batch() -> None:
    examples = make_examples(2, 4) + make_examples(5, 1)[2:]
    planned = plan_micro_batches(examples, 4, hidden_size=HIDDEN)
    names = [example.trace_id for micro_batch in planned for example in micro_batch.examples]
    assert sorted(names) == sorted(example.trace_id for example in examples)
    longest = max(len(example.ids) for example in examples)
    batches = [micro_batch.collate() for micro_batch in planned]
    assert all(batch["input_ids"].numel() <= 4 * longest for batch in batches)
    shared = sum(batch["input_ids"].numel() for batch in batches if "parents" in batch)
    assert 0 < shared < sum(len(example.ids) for example in examples[:8]) / 2


@pytest.mark.parametrize("hidden_size", [HIDDEN, None])
def test_without_siblings_micro_batches_are_the_linear_ones(hidden_size: int | None) -> None:
    examples = make_examples(9, 1)
    planned = plan_micro_batches(examples, 4, hidden_size=hidden_size)
    assert [len(micro_batch.examples) for micro_batch in planned] == [4, 4, 1]
    assert not any("parents" in micro_batch.collate() for micro_batch in planned)
    lengths = [len(example.ids) for micro_batch in planned for example in micro_batch.examples]
    assert lengths == sorted(lengths, reverse=True)


def test_memory_that_runs_out_halves_shared_rows_too(base_model: Path, tmp_path: Path) -> None:
    examples = make_examples(2, 6)
    _, expected, trainer = gradient(base_model, examples, tmp_path, share=True)
    widths: list[int] = []

    def run_out(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        widths.append(named["input_ids"].numel())
        if widths[-1] > 300:
            raise torch.OutOfMemoryError("out of memory, for the test")

    trainer.model.register_forward_pre_hook(run_out, with_kwargs=True)
    trainer.model.zero_grad()
    trainer.training_step(trainer.model, {"examples": examples})
    found = torch.cat([one.grad.flatten() for one in trainer.model.parameters() if one.grad is not None])
    assert trainer.micro_batch == 2
    assert max(widths) > 300
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def trained(
    base_model: Path, examples: list[Example], checkpoints: Checkpoints | None = None, **changed: Any
) -> Any:
    settings = SETTINGS.model_copy(update=changed)
    model = load_trainable(str(base_model), settings, "hermes").model
    result = train(model, examples, settings, checkpoints)
    return result, torch.cat([one.detach().flatten() for one in model.parameters()])


def test_training_with_siblings_resumes_bitwise(base_model: Path, tmp_path: Path) -> None:
    examples = make_examples(4, 4)
    whole, expected = trained(base_model, examples, lora_dropout=0.1)
    assert whole.steps == 4
    checkpoints = Checkpoints(open_storage(str(tmp_path / "checkpoints")))
    trained(base_model, examples, checkpoints, lora_dropout=0.1)
    for step in checkpoints.steps()[1:]:  # as if killed before the last save
        (tmp_path / "checkpoints" / f"step-{step:08d}" / "manifest.json").unlink()
    again, found = trained(base_model, examples, checkpoints, lora_dropout=0.1)
    assert again.resumed_from == 3
    assert torch.equal(found, expected)


def test_sharing_can_be_turned_off_and_changes_nothing_without_siblings(base_model: Path) -> None:
    examples = make_examples(12, 1)
    _, shared = trained(base_model, examples)
    _, linear = trained(base_model, examples, share_prefixes=False)
    assert torch.equal(shared, linear)
