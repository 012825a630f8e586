"""Gradients, shared rows, micro-batches, failures and resuming of preference tuning, on a tiny model in fp32."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from components.contracts.errors import InputError
from components.dpo.__main__ import main
from components.dpo.micro_batches import plan_micro_batches, sides_of
from components.dpo.objective import PreferenceObjective
from components.dpo.pairs import TokenPair, prepare_pairs
from components.dpo.settings import DPOSettings
from components.dpo.training import fill_reference, train
from components.policy.chat import Chat
from components.policy.distributed import run_in_processes
from components.policy.finite import NonFiniteError
from components.policy.load import open_chat
from components.policy.step_trainer import Steps, StepTrainer
from components.policy.trainable import load_trainable
from components.policy.training_loop import training_arguments
from tests.preference_pairs import KINDS, make_pair, write_pairs
from tests.tiny_model import build_tiny_model

SETTINGS = DPOSettings(
    dtype="float32", learning_rate=0.01, batch_size=8, micro_batch=2, epochs=2, lora_rank=4, beta=0.4
)
HIDDEN = 32


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"), hidden=HIDDEN)


@pytest.fixture(scope="module")
def chat(base_model: Path) -> Chat:
    return open_chat(str(base_model), "hermes")


@pytest.fixture(scope="module")
def pairs(chat: Chat) -> list[TokenPair]:
    """Of all kinds; the first six of two long prompts, three each."""
    long = [make_pair(chat, n, KINDS[n % 4], question=f"{n % 2} and why {'so ' * 40}?") for n in range(6)]
    return prepare_pairs(
        [*long, *(make_pair(chat, n, KINDS[n % 4]) for n in range(6, 10))], chat, max_tokens=900
    ).pairs


def make_trainer(
    base_model: Path, pairs: Sequence[TokenPair], work: Path, settings: DPOSettings = SETTINGS
) -> tuple[Any, PreferenceObjective]:
    """With its reference filled, and its weights moved away from it."""
    model = load_trainable(str(base_model), settings, "hermes").model
    objective = PreferenceObjective(settings, len(pairs))
    trainer = StepTrainer(
        model,
        training_arguments(settings, work, device=torch.device("cpu"), saves=False),
        Steps(pairs, [tuple(range(len(pairs)))]),
        objective,
        micro_batch=settings.micro_batch,
        share_prefixes=settings.share_prefixes,
    )
    fill_reference(trainer, objective, [pairs])
    generator = torch.Generator().manual_seed(7)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.3, generator=generator)
    return trainer, objective


def gradient_of(model: Any) -> Tensor:
    return torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])


def step(trainer: Any, pairs: Sequence[TokenPair]) -> tuple[float, Tensor]:
    trainer.model.zero_grad()
    loss = trainer.training_step(trainer.model, {"examples": list(pairs)})
    return float(loss), gradient_of(trainer.model)


def dense_logprobs(model: Any, pairs: Sequence[TokenPair]) -> Tensor:
    """(pairs, 2) in float64: each side alone, from whole logits."""
    found = []
    for side in sides_of(pairs):
        logits = model(input_ids=torch.tensor([list(side.ids)])).logits[0].double().log_softmax(-1)
        found.append(sum(logits[t - 1, side.ids[t]] for t in range(1, len(side.ids)) if side.weights[t]))
    return torch.stack(found).view(-1, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", ["dpo", "ipo", "simpo", "orpo"])
def test_gradient_of_a_step_is_that_of_the_equation(
    base_model: Path, pairs: list[TokenPair], tmp_path: Path, loss: str
) -> None:
    """Against whole logits of each side by itself, in float64, and the loss written out here."""
    settings = DPOSettings.model_validate(
        {**SETTINGS.model_dump(), "loss": loss, "gamma": 0.3, "nll_weight": 0.0 if loss == "orpo" else 0.25}
    )
    trainer, _ = make_trainer(base_model, pairs, tmp_path, settings)
    value, found = step(trainer, pairs)
    model = trainer.model.double()
    model.zero_grad()
    logprobs = dense_logprobs(model, pairs)
    with torch.no_grad(), model.disable_adapter():
        reference = dense_logprobs(model, pairs)
    lengths = torch.tensor([sum(side.weights) for side in sides_of(pairs)], dtype=torch.float64).view(-1, 2)
    means = logprobs / lengths
    if loss == "dpo":
        h = (logprobs[:, 0] - reference[:, 0]) - (logprobs[:, 1] - reference[:, 1])
        losses = torch.log(1 + torch.exp(-0.4 * h)) - 0.25 * means[:, 0]
    elif loss == "ipo":
        ratios = (logprobs - reference) / lengths
        losses = (ratios[:, 0] - ratios[:, 1] - 1 / 0.8) ** 2 - 0.25 * means[:, 0]
    elif loss == "simpo":
        h = 0.4 * (means[:, 0] - means[:, 1]) - 0.3
        losses = torch.log(1 + torch.exp(-h)) - 0.25 * means[:, 0]
    else:
        odds = means.exp() / (1 - means.exp())
        losses = -means[:, 0] - 0.4 * torch.log(odds[:, 0] / (odds[:, 0] + odds[:, 1]))
    torch.autograd.backward(losses.mean())
    expected = gradient_of(model)
    assert value == pytest.approx(float(losses.mean().detach()), rel=1e-5)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_shared_rows_train_what_separate_ones_train(
    base_model: Path, pairs: list[TokenPair], tmp_path: Path
) -> None:
    shared, objective = make_trainer(base_model, pairs, tmp_path)
    apart, other = make_trainer(
        base_model, pairs, tmp_path, SETTINGS.model_copy(update={"share_prefixes": False})
    )
    planned = plan_micro_batches(pairs, 2, hidden_size=HIDDEN)
    assert any(len(row) > 1 for micro_batch in planned for row in micro_batch.collate()["rows"])
    torch.testing.assert_close(objective.reference, other.reference, rtol=1e-5, atol=1e-5)
    loss, found = step(shared, pairs)
    expected_loss, expected = step(apart, pairs)
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("hidden_size", [HIDDEN, None])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_micro_batches_hold_each_pair_once_within_their_tokens(
    pairs: list[TokenPair], hidden_size: int | None, size: int
) -> None:
    planned = plan_micro_batches(pairs, size, hidden_size=hidden_size)
    longest = max(len(side.ids) for side in sides_of(pairs))
    assert sorted(pair.number for one in planned for pair in one.examples) == list(range(len(pairs)))
    for micro_batch in planned:
        batch = micro_batch.collate()
        assert batch["pairs"] == micro_batch.examples
        sequences = [list(side.ids) for side in sides_of(batch["pairs"])]
        assert sorted(n for row in batch["rows"] for n in row) == list(range(len(sequences)))
        widths = [
            len({tuple(sequences[n][: t + 1]) for n in row for t in range(len(sequences[n]))})
            for row in batch["rows"]
        ]
        assert len(widths) * max(widths) <= 2 * size * longest
        branching = {len(row) > 1 for row in batch["rows"]}
        assert hidden_size is not None or branching == {False}


def test_micro_batch_does_not_change_the_gradient(
    base_model: Path, pairs: list[TokenPair], tmp_path: Path
) -> None:
    trainer, _ = make_trainer(base_model, pairs, tmp_path)
    loss, whole = step(trainer, pairs)
    figures = dict(trainer.figures)
    for size in (1, 5):
        trainer.micro_batch = size
        in_parts_loss, in_parts = step(trainer, pairs)
        assert in_parts_loss == pytest.approx(loss, rel=1e-5)
        torch.testing.assert_close(in_parts, whole, rtol=1e-4, atol=1e-6)
        assert trainer.figures == pytest.approx(figures, rel=1e-4)
    assert set(figures) == {"reward_margin", "reward_accuracy", "chosen_logprob", "rejected_logprob"}


def test_memory_that_runs_out_halves_the_micro_batch_of_reference_and_step(
    base_model: Path, pairs: list[TokenPair], tmp_path: Path
) -> None:
    trainer, objective = make_trainer(base_model, pairs, tmp_path)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            weight.data.zero_()
    expected_reference = objective.reference.clone()
    _, expected = step(trainer, pairs)
    room = 2 * max(len(side.ids) for side in sides_of(pairs))

    def run_out(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].numel() > room:
            raise torch.OutOfMemoryError("out of memory, for the test")

    trainer.model.register_forward_pre_hook(run_out, with_kwargs=True)
    for action in ("reference", "step"):
        trainer.micro_batch = 4
        if action == "reference":
            objective.reference.zero_()
            fill_reference(trainer, objective, [pairs])
            torch.testing.assert_close(objective.reference, expected_reference, rtol=1e-5, atol=1e-5)
        else:
            _, found = step(trainer, pairs)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        assert trainer.micro_batch == 1
    room = 0
    with pytest.raises(InputError, match=r"dpo_settings: max_tokens: out of memory with one example of \d+"):
        step(trainer, pairs)


def test_not_finite_stops_and_names_the_pairs(base_model: Path, pairs: list[TokenPair]) -> None:
    model = load_trainable(str(base_model), SETTINGS, "hermes").model
    passes = 0

    def poison(module: Any, arguments: Any, output: Tensor) -> Tensor:
        nonlocal passes
        passes += model.training
        return output * float("nan") if passes == 2 else output

    model.get_output_embeddings().register_forward_hook(poison)
    with pytest.raises(NonFiniteError, match=r"step 1: loss is nan; .*examples of the batch: pair-\d"):
        train(model, pairs, SETTINGS)


def test_the_reference_is_taken_without_dropout(
    base_model: Path, pairs: list[TokenPair], tmp_path: Path
) -> None:
    dropping = SETTINGS.model_copy(update={"lora_dropout": 0.5})
    _, one = make_trainer(base_model, pairs, tmp_path, dropping)
    _, two = make_trainer(base_model, pairs, tmp_path)
    assert torch.equal(one.reference, two.reference)


def test_pairs_of_a_prompt_meet_in_one_step(
    base_model: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make_pair(chat, n, "response", question=f"{n % 4} {'long ' * 20}?") for n in range(16)]
    prepared = prepare_pairs(made, chat, max_tokens=900).pairs
    seen: list[list[int]] = []

    class Watching(PreferenceObjective):
        def plan(self, examples: Any, micro_batch: int, hidden_size: int | None) -> Any:
            seen.append([pair.number for pair in examples])
            return super().plan(examples, micro_batch, hidden_size)

    monkeypatch.setattr("components.dpo.training.PreferenceObjective", Watching)
    model = load_trainable(str(base_model), SETTINGS, "hermes").model
    result = train(model, prepared, SETTINGS.model_copy(update={"epochs": 1}))
    assert result.steps == 2
    for numbers in seen:
        assert len({number % 4 for number in numbers}) == 2


def command_line(base_model: Path, pairs: Path, **settings: object) -> list[str]:
    told = {**SETTINGS.model_dump(mode="json"), **settings}
    return ["--pairs", str(pairs), "--base-model", str(base_model), "--settings", json.dumps(told)]


def weights_of(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_file(folder / "adapter" / "adapter_model.safetensors")
    return found


ENVIRONMENT = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def test_killed_training_ends_with_the_same_weights(base_model: Path, chat: Chat, tmp_path: Path) -> None:
    made = write_pairs(tmp_path / "pairs", [make_pair(chat, n, KINDS[n % 4]) for n in range(16)])
    options = command_line(base_model, made, epochs=16, save_every=2, lora_dropout=0.1)
    assert main([*options, "--output", str(tmp_path / "whole")]) == 0
    killed = [*options, "--output", str(tmp_path / "killed"), "--checkpoint-root", str(tmp_path / "kept")]
    metrics = tmp_path / "metrics.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "components.dpo", *killed],
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "kept").rglob("manifest.json")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "adapter" / "manifest.json").exists()
    assert main([*killed, "--metrics", str(metrics)]) == 0
    assert json.loads(metrics.read_text())["resumed_from_step"] > 0
    expected = weights_of(tmp_path / "whole")
    found = weights_of(tmp_path / "killed")
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    logs = [(tmp_path / name / "adapter" / "training_log.jsonl").read_bytes() for name in ("whole", "killed")]
    assert logs[0] == logs[1]


def test_two_processes_train_what_one_trains(base_model: Path, chat: Chat, tmp_path: Path) -> None:
    made = [make_pair(chat, n, KINDS[n % 4], question=f"{n % 3} and {'so ' * 40}?") for n in range(10)]
    options = command_line(base_model, write_pairs(tmp_path / "pairs", made), batch_size=4)
    named = dict(zip([name[2:] for name in options[::2]], options[1::2], strict=True))
    metrics = run_in_processes("components.dpo", 2, {**named, "output": str(tmp_path / "two")}, ENVIRONMENT)
    assert (metrics["pairs"], metrics["steps"]) == (10, 6)
    assert main([*options, "--output", str(tmp_path / "one")]) == 0
    found = weights_of(tmp_path / "two")
    for name, tensor in weights_of(tmp_path / "one").items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-5)
    rows = [
        [
            json.loads(line)
            for line in (tmp_path / name / "adapter" / "training_log.jsonl").read_text().splitlines()
        ]
        for name in ("one", "two")
    ]
    for one, two in zip(*rows, strict=True):
        assert two["reward_margin"] == pytest.approx(one["reward_margin"], rel=1e-2, abs=1e-4)
        assert two["tokens"] == one["tokens"]


def test_presets_and_errors() -> None:
    paper = DPOSettings.parse('{"preset": "self-training"}')
    assert (paper.lora_rank, paper.lora_alpha, paper.learning_rate, paper.beta) == (16, 8, 5e-5, 0.5)
    assert (paper.epochs, paper.batch_size, paper.max_tokens) == (3, 32, 8192)
    itool = DPOSettings.parse('{"preset": "itool"}')
    assert (itool.learning_rate, itool.weight_decay) == (5e-5, 0.01)
    assert DPOSettings.parse(paper.canonical()) == paper
    with pytest.raises(InputError, match="did you mean 'gamma'"):
        DPOSettings.parse('{"gama": 1}')
    with pytest.raises(InputError, match="nll_weight: orpo has"):
        DPOSettings.parse('{"loss": "orpo", "nll_weight": 1}')
