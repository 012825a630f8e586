"""Which weights are trained."""

from pathlib import Path

import torch

from components.contracts.errors import InputError
from components.policy.load import Policy, holds_whole_model, load_policy
from components.policy.new_adapter import add_new_adapter
from components.policy.settings import ModelSettings
from components.policy.training_settings import TrainingSettings


def require_method_fits(settings: TrainingSettings, initial: Path | None) -> None:
    """Refuse what can't work before a model is loaded.

    Raises:
        InputError: qlora without CUDA or bitsandbytes; an initial artifact that is no LoRA adapter
            under a LoRA method.
    """
    if settings.method == "qlora" and not torch.cuda.is_available():
        raise InputError(
            f"{settings.stage}_settings: method: 'qlora' needs a CUDA device and there is none; expected 'lora' or "
            "'full' here"
        )
    if settings.method != "full" and initial is not None and holds_whole_model(initial):
        raise InputError(
            f"initial: {initial} holds a whole model, not a LoRA adapter; with method {settings.method!r} the "
            "result would not fit base_model; expected method 'full', or that model as base_model"
        )


def load_trainable(
    base_model: str, settings: TrainingSettings, call_format: str, initial: Path | None = None
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
        add_untrained_adapter(policy, settings)
    return policy


def add_untrained_adapter(policy: Policy, settings: TrainingSettings) -> None:
    """Put the new LoRA adapter of `settings` on the policy; it changes nothing yet (B = 0)."""
    policy.model = add_new_adapter(
        policy.model,
        rank=settings.lora_rank,
        alpha=settings.lora_alpha,
        dropout=settings.lora_dropout,
        targets=settings.lora_targets,
        seed=settings.seed,
        parameter=f"{settings.stage}_settings",
    )
