"""Which weights are trained, and how they are saved."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import set_seed

from components.contracts.errors import InputError
from components.policy.load import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    Policy,
    holds_whole_model,
    load_policy,
)
from components.policy.settings import ModelSettings
from components.sft.settings import SFTSettings


def require_method_fits(settings: SFTSettings, initial: Path | None) -> None:
    """Refuse what can't work before a model is loaded.

    Raises:
        InputError: qlora without CUDA or bitsandbytes; an initial artifact that is no LoRA adapter
            under a LoRA method.
    """
    if settings.method == "qlora" and not torch.cuda.is_available():
        raise InputError(
            "sft_settings: method: 'qlora' needs a CUDA device and there is none; expected 'lora' or 'full' here"
        )
    if settings.method != "full" and initial is not None and holds_whole_model(initial):
        raise InputError(
            f"initial: {initial} holds a whole model, not a LoRA adapter; with method {settings.method!r} the "
            "result would not fit base_model; expected method 'full', or that model as base_model"
        )


def load_trainable(
    base_model: str, settings: SFTSettings, call_format: str, initial: Path | None = None
) -> Policy:
    """The policy with exactly the weights trainable that `settings.method` trains.

    lora, qlora: a new adapter whose first weights depend on settings.seed, or the `initial` one (with
    its own rank, alpha and targets). full: every weight, in float32; an initial adapter is merged in,
    an initial whole model taken instead of the base model.

    Raises:
        InputError: what `require_method_fits` or `load_policy` refuses; lora_targets that the model
            does not have.
    """
    require_method_fits(settings, initial)
    full = settings.method == "full"
    held = ModelSettings(
        dtype="float32" if full else settings.dtype,
        quantization="nf4" if settings.method == "qlora" else "none",
    )
    policy = load_policy(
        base_model,
        adapter=initial,
        settings=held,
        call_format=call_format,
        trainable=not full,
        merge=full,
    )
    if full:
        policy.model.requires_grad_(True)
    elif initial is None:
        policy.model = _with_new_adapter(policy.model, settings)
    return policy


def _with_new_adapter(model: Any, settings: SFTSettings) -> Any:
    set_seed(settings.seed)
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.lora_targets),
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise InputError(f"sft_settings: lora_targets: {str(error).splitlines()[0]}") from error


def save_weights(model: Any, tokenizer: Any, folder: Path, base_model: str) -> None:
    """Write the trained weights as safetensors, with nothing in them that depends on this machine.

    A LoRA adapter is two files; a fully trained model is a whole Hugging Face model folder.
    """
    if not isinstance(model, PeftModel):
        model.save_pretrained(str(folder), safe_serialization=True)
        tokenizer.save_pretrained(str(folder))
        return
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        model.save_pretrained(temporary, safe_serialization=True)
        config = json.loads((Path(temporary) / ADAPTER_CONFIG).read_text())
        config["base_model_name_or_path"] = base_model
        config["target_modules"] = sorted(config["target_modules"])  # peft keeps a set
        (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        weights = Path(shutil.move(Path(temporary) / ADAPTER_WEIGHTS, folder / ADAPTER_WEIGHTS))
        weights.chmod(0o644)  # safetensors writes for its own user only
