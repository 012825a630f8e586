"""Two data-parallel processes train what one process trains."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.policy.distributed import run_in_processes
from components.policy.load import open_chat
from components.sft.__main__ import main
from tests.tiny_model import build_tiny_model, make_trace, write_labeled

SETTINGS = {
    "dtype": "float32",
    "batch_size": 4,
    "micro_batch": 2,
    "epochs": 2,
    "lora_rank": 4,
    "save_every": 2,
}
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    base_model = build_tiny_model(tmp_path / "base")
    chat = open_chat(str(base_model), "hermes")
    # The last ones continue prompts of earlier ones, and share their encoding.
    traces = [
        make_trace(chat, number if number < 7 else number - 4, trained=(number % 2 == 0, True))
        for number in range(10)
    ]
    options = {
        "labeled": str(write_labeled(tmp_path / "labeled", traces)),
        "base-model": str(base_model),
        "settings": json.dumps(SETTINGS),
        "overrides": '{"key_tokens": "first_divergence"}',
    }
    together = {"output": str(tmp_path / "together"), "checkpoint-root": str(tmp_path / "checkpoints")}
    metrics = run_in_processes("components.sft", 2, {**options, **together}, ENVIRONMENT)
    assert (metrics["examples"], metrics["steps"]) == (10, 6)
    assert metrics["key_tokens"] == 2 * 5  # epochs, and traces whose call is trained
    assert not [path for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()]

    command_line = [part for name, value in options.items() for part in (f"--{name}", value)]
    assert main([*command_line, "--output", str(tmp_path / "alone")]) == 0
    weights = {name: load_file(weights_of(tmp_path / name)) for name in ("alone", "together")}
    assert any(bool(tensor.any()) for name, tensor in weights["alone"].items() if "lora_B" in name)
    for name, tensor in weights["alone"].items():
        torch.testing.assert_close(weights["together"][name], tensor, rtol=1e-3, atol=1e-6)


def test_what_is_wrong_comes_back_as_one_line(tmp_path: Path) -> None:
    options = {"labeled": str(tmp_path), "base-model": "nowhere", "output": str(tmp_path / "out")}
    with pytest.raises(InputError, match=r"is not an artifact: it has no manifest\.json$"):
        run_in_processes("components.sft", 1, options, ENVIRONMENT)


def weights_of(folder: Path) -> Path:
    return open_artifact(folder / "adapter", "adapter/1").path("adapter_model.safetensors")
