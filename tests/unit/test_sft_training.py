"""Gradients, micro-batches, failures and progress of supervised fine-tuning, on a tiny model in fp32."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from components.contracts.errors import InputError
from components.policy.chat import Chat
from components.policy.finite import NonFiniteError
from components.policy.load import open_chat
from components.policy.step_trainer import Steps, StepTrainer
from components.policy.trainable import load_trainable
from components.policy.training_loop import training_arguments
from components.sft.dataset import Example, encode_trace
from components.sft.micro_batches import collate
from components.sft.settings import SFTSettings
from components.sft.training import SupervisedObjective, train
from tests.tiny_model import build_tiny_model, make_trace

SETTINGS = SFTSettings(
    dtype="float32", learning_rate=0.01, batch_size=8, micro_batch=8, epochs=2, lora_rank=4
)


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def chat(base_model: Path) -> Chat:
    return open_chat(str(base_model), "hermes")


@pytest.fixture(scope="module")
def examples(chat: Chat) -> list[Example]:
    """Of different lengths, with one or two trained turns."""
    return [
        encode_trace(make_trace(chat, number, trained=(number % 3 > 0, True)), chat) for number in range(16)
    ]


def make_trainer(
    base_model: Path, examples: Sequence[Example], work: Path, settings: SFTSettings = SETTINGS
) -> Any:
    model = load_trainable(str(base_model), settings, "hermes").model
    arguments = training_arguments(settings, work, device=torch.device("cpu"), saves=False)
    steps = Steps(examples, [tuple(range(len(examples)))])
    return StepTrainer(model, arguments, steps, SupervisedObjective(), micro_batch=settings.micro_batch)


def gradient(trainer: Any, examples: Sequence[Example]) -> tuple[float, Tensor]:
    trainer.model.zero_grad()
    loss = trainer.training_step(trainer.model, {"examples": list(examples)})
    parts = [
        parameter.grad.flatten() for parameter in trainer.model.parameters() if parameter.grad is not None
    ]
    return float(loss), torch.cat(parts)


def parameters_of(model: Any) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_tokens_without_weight_have_exactly_zero_gradient(
    base_model: Path, chat: Chat, tmp_path: Path
) -> None:
    """On the gradient itself: of the last hidden states, only those that predict trained tokens get any."""
    masked = [encode_trace(make_trace(chat, number, trained=(False, True)), chat) for number in range(3)]
    trainer = make_trainer(base_model, masked, tmp_path)
    states: list[Tensor] = []

    def keep(module: torch.nn.Module, arguments: Any, output: Tensor) -> None:
        output.retain_grad()
        states.append(output)

    norm = next(module for name, module in trainer.model.named_modules() if name.endswith("model.norm"))
    norm.register_forward_hook(keep)
    batch = collate(masked)
    torch.autograd.backward(trainer.compute_loss(trainer.model, batch))
    (hidden,) = states
    assert hidden.grad is not None
    touched = hidden.grad.abs().sum(-1) > 0
    predicts = torch.zeros_like(touched)
    predicts[:, :-1] = batch["weights"][:, 1:] > 0
    assert predicts.any()
    assert torch.equal(touched, predicts)


def test_gradient_is_that_of_the_mean_over_supervised_tokens(
    base_model: Path, examples: list[Example], tmp_path: Path
) -> None:
    trainer = make_trainer(base_model, examples, tmp_path)
    loss, found = gradient(trainer, examples)
    trainer.model.zero_grad()
    total, count = torch.zeros(()), 0
    for example in examples:
        logits = trainer.model(input_ids=torch.tensor([list(example.ids)])).logits[0].float()
        for position, weight in enumerate(example.weights):
            if weight:
                total = total - logits[position - 1].log_softmax(-1)[example.ids[position]]
                count += 1
    torch.autograd.backward(total / count)
    parts = [
        parameter.grad.flatten() for parameter in trainer.model.parameters() if parameter.grad is not None
    ]
    assert loss == pytest.approx(float((total / count).detach()), rel=1e-5)
    torch.testing.assert_close(found, torch.cat(parts), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("micro_batch", [1, 3, 5])
def test_micro_batch_does_not_change_the_gradient(
    base_model: Path, examples: list[Example], tmp_path: Path, micro_batch: int
) -> None:
    trainer = make_trainer(base_model, examples, tmp_path)
    loss, whole = gradient(trainer, examples)
    trainer.micro_batch = micro_batch
    loss_in_parts, in_parts = gradient(trainer, examples)
    assert loss_in_parts == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(in_parts, whole, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_loss_goes_down(base_model: Path, examples: list[Example], method: str) -> None:
    targets = ("q_proj", "v_proj", "o_proj", "down_proj")
    settings = SETTINGS.model_copy(
        update={"method": method, "epochs": 10, "learning_rate": 0.03, "lora_targets": targets}
    )
    result = train(load_trainable(str(base_model), settings, "hermes").model, examples, settings)
    assert result.steps == len(result.log) == 20
    assert [row.step for row in result.log] == list(range(1, 21))
    losses = [row.loss for row in result.log]
    assert sum(losses[-2:]) < 0.8 * sum(losses[:2])
    assert all(row.tokens > 0 and row.gradient_norm > 0 for row in result.log)


def test_a_single_step_trains_in_spite_of_the_warm_up_and_says_that_it_is_alone(
    base_model: Path, examples: list[Example], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 1, "batch_size": 99, "warmup": 0.1})
    model = load_trainable(str(base_model), settings, "hermes").model
    before = parameters_of(model)
    result = train(model, examples, settings)
    assert [row.learning_rate for row in result.log] == [settings.learning_rate]
    assert not torch.equal(parameters_of(model), before)
    told = "[sft] few optimizer steps: 1, of 16 examples with batch_size 99; a smaller batch_size gives more"
    assert told in capsys.readouterr().out


def test_same_seed_gives_the_same_weights_and_another_does_not(
    base_model: Path, examples: list[Example]
) -> None:
    def trained(seed: int) -> Tensor:
        settings = SETTINGS.model_copy(update={"seed": seed, "lora_dropout": 0.1})
        model = load_trainable(str(base_model), settings, "hermes").model
        train(model, examples, settings)
        return parameters_of(model)

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


@pytest.mark.parametrize("where", ["loss", "gradient"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite_stops_before_the_step_is_taken(
    base_model: Path, examples: list[Example], where: str, value: float
) -> None:
    """Poisoned from the third forward pass on: two steps are taken, the third is not."""
    model = load_trainable(str(base_model), SETTINGS, "hermes").model
    states: list[Tensor] = []

    def poison_logits(module: Any, arguments: Any, output: Any) -> Any:
        states.append(parameters_of(model))
        if len(states) == 3 and where == "loss":
            return output * value
        if len(states) == 3:
            output.register_hook(lambda flowing: flowing * value)
        return output

    model.get_output_embeddings().register_forward_hook(poison_logits)
    with pytest.raises(NonFiniteError) as caught:
        train(model, examples, SETTINGS)
    message = str(caught.value)
    assert message.startswith(f"step 3: {where} is ")
    assert "\n" not in message
    named = {name.strip() for name in message.rpartition(": ")[2].split(",")}
    assert len(named) == 8
    assert named <= {example.trace_id for example in examples}
    assert not torch.equal(states[0], states[2])
    assert torch.equal(parameters_of(model), states[2])
    assert bool(torch.isfinite(parameters_of(model)).all())


def test_out_of_memory_halves_the_micro_batch_with_the_same_gradient(
    base_model: Path, examples: list[Example], tmp_path: Path
) -> None:
    trainer = make_trainer(base_model, examples, tmp_path)
    _, whole = gradient(trainer, examples)
    room, passes = 3, 0

    def run_out(module: Any, arguments: Any, keywords: dict[str, Any]) -> None:
        nonlocal passes
        passes += 1
        # The first micro-batch of the step fits: what it left behind must not be counted twice.
        if len(keywords["input_ids"]) > room and passes > 1:
            raise torch.OutOfMemoryError("out of memory, for the test")

    trainer.model.register_forward_pre_hook(run_out, with_kwargs=True)
    _, in_parts = gradient(trainer, examples)
    assert trainer.micro_batch == 2
    torch.testing.assert_close(in_parts, whole, rtol=1e-4, atol=1e-7)
    room = 0
    with pytest.raises(InputError, match=r"max_tokens: out of memory with one example of \d+ tokens"):
        gradient(trainer, examples)


def test_qlora_without_a_gpu_is_refused(base_model: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="method: 'qlora' needs a CUDA device"):
        load_trainable(str(base_model), SETTINGS.model_copy(update={"method": "qlora"}), "hermes")


def test_unknown_target_layers_are_named(base_model: Path) -> None:
    settings = SETTINGS.model_copy(update={"lora_targets": ("c_attn",)})
    with pytest.raises(InputError, match=r"lora_targets: .*c_attn"):
        load_trainable(str(base_model), settings, "hermes")


def test_settings_presets_and_errors() -> None:
    paper = SFTSettings.parse('{"preset": "self-training"}')
    assert (paper.lora_rank, paper.lora_alpha, paper.learning_rate, paper.batch_size) == (16, 8, 5e-5, 32)
    assert (paper.lora_targets, paper.epochs, paper.max_tokens) == (("q_proj", "v_proj"), 3, 8192)
    assert SFTSettings.parse(paper.canonical()) == paper
    assert SFTSettings.parse(json.dumps({"preset": "demo", "epochs": 1})).epochs == 1
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        SFTSettings.parse('{"epoch": 1}')
