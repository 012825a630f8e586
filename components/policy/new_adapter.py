"""A new LoRA adapter on a model."""

from collections.abc import Sequence
from typing import Any

from peft import LoraConfig, get_peft_model
from transformers import set_seed

from components.contracts.errors import InputError


def add_new_adapter(
    model: Any, *, rank: int, alpha: int, dropout: float, targets: Sequence[str], seed: int, parameter: str
) -> Any:
    """`model` in peft's wrapper with a new LoRA adapter, which changes nothing yet; its A depends on `seed`.

    parameter: the stage's settings, named in errors.

    Raises:
        InputError: targets that the model does not have.
    """
    set_seed(seed)
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets), task_type="CAUSAL_LM"
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise InputError(f"{parameter}: lora_targets: {str(error).splitlines()[0]}") from error
