"""A random Llama, and weights for sequences' tokens, for tests of packed rows (not a test)."""

from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

VOCABULARY = 97


def small_model(*, adapter: bool = False, attention: str = "sdpa") -> Any:
    """Two layers of four heads, always with the same weights; adapter: with a LoRA that does something."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
        attn_implementation=attention,
    )
    model: Any = LlamaForCausalLM(config)
    if adapter:
        chosen = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        model = get_peft_model(model, chosen)
    return model


def weights_for(sequences: Sequence[Sequence[int]], seed: int = 1) -> list[list[float]]:
    """Fractional, many 0; the first tokens have weight too, and must not count."""
    generator = torch.Generator().manual_seed(seed)
    return [
        [1.0, *(torch.rand(len(one) - 1, generator=generator) * 3 - 1).clamp_min(0).tolist()]
        for one in sequences
    ]


def gradient_of(model: Any, loss: Tensor) -> dict[str, Tensor]:
    """Of the parameters that have one, by name."""
    model.zero_grad()
    torch.autograd.backward(loss)
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
