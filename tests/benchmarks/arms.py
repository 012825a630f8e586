"""The arms of a training benchmark: the model that they share, each in a process of its own, and how they compare."""

import json
import os
import resource
import subprocess
from pathlib import Path
from typing import Any

VOCABULARY, HIDDEN = 49_152, 576


def make_model() -> Any:
    """SmolLM2-135M's shape, random weights, LoRA on q and v as in the paper; its B is not 0, so A has gradient."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    model: Any = LlamaForCausalLM(config)
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=8, target_modules=["q_proj", "v_proj"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    return model.train()


def peak_mib() -> float:
    """This process's, resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_arm(module: str, python: str, arm: str, gradients: Path) -> dict[str, Any]:
    """What `python -m module arm gradients` printed last, a JSON object, in a process of its own.

    Raises:
        RuntimeError: it failed; the arm, and the last line that it wrote.
    """
    done = subprocess.run(
        [python, "-m", module, arm, str(gradients)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    if done.returncode:
        raise RuntimeError(f"{arm}: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def gradient_difference(folder: Path, first: str, second: str) -> float:
    """The largest difference of two arms' gradients, relative to the largest entry of its tensor."""
    from safetensors.torch import load_file

    one, other = (load_file(folder / f"{arm}.safetensors") for arm in (first, second))
    if one.keys() != other.keys():
        return float("inf")
    return max(float((one[name] - other[name]).abs().max() / other[name].abs().max()) for name in one)
