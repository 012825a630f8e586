"""How far the weights moved, against the dense matrices."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from components.policy.distance import effective_weights, low_rank_square, moved

TARGETS = ["q_proj", "v_proj", "embed_tokens"]


def small_model(seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def dense(model: torch.nn.Module) -> dict[str, Tensor]:
    return {
        name: layer.get_delta_weight("default").detach().double().clone()
        for name, layer in model.named_modules()
        if hasattr(layer, "get_delta_weight")
    }


def shake(model: torch.nn.Module, amount: float) -> None:
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".lora_" in name:
                weight.add_(amount * torch.randn_like(weight))


@pytest.mark.parametrize("rslora", [False, True])
def test_lora_against_dense_matrices(rslora: bool) -> None:
    config = LoraConfig(r=4, lora_alpha=12, target_modules=TARGETS, use_rslora=rslora)
    model = get_peft_model(small_model(), config)
    start = effective_weights(model)
    assert moved(model, start) == 0.0
    shake(model, 0.3)
    from_base = math.sqrt(sum(float(matrix.square().sum()) for matrix in dense(model).values()))
    assert moved(model, start) == pytest.approx(from_base, rel=1e-6)

    before, kept = dense(model), effective_weights(model)
    assert moved(model, kept) == 0.0
    shake(model, 1e-4)
    after = dense(model)
    assert len(after) == 5
    expected = math.sqrt(sum(float((after[name] - before[name]).square().sum()) for name in after))
    assert moved(model, kept) == pytest.approx(expected, rel=1e-3)
    assert 0 < expected < from_base


def test_whole_models_and_what_is_trained_beside_lora() -> None:
    model = small_model()
    start = effective_weights(model)
    assert moved(model, start) == 0.0
    with torch.no_grad():
        model.lm_head.weight.add_(0.5)
        model.model.norm.weight.sub_(0.25)
    assert moved(model, start) == pytest.approx(math.sqrt(50 * 16 * 0.25 + 16 * 0.0625))
    half = get_peft_model(small_model(), LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["norm"]))
    start = effective_weights(half)
    with torch.no_grad():
        for name, weight in half.named_parameters():
            if "modules_to_save" in name:
                weight.add_(2.0)
    assert moved(half, start) == pytest.approx(2.0 * math.sqrt(5 * 16))  # "norm" names all five


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 7), st.integers(0, 10**6))
def test_low_rank_square_is_that_of_the_product(rank: int, height: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    now, before = ((draw(height, rank), draw(rank, width)) for _ in range(2))
    expected = float((now[0] @ now[1] - before[0] @ before[1]).square().sum())
    assert low_rank_square(now, before) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert low_rank_square(now, now) == 0.0


def test_the_second_adapter_of_a_model_is_told_from_the_first() -> None:
    model = get_peft_model(small_model(), LoraConfig(r=4, target_modules=["q_proj"]))
    model.add_adapter("critic", LoraConfig(r=2, target_modules=["q_proj"]))
    start, second = effective_weights(model), effective_weights(model, "critic")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".critic." in name:
                weight.add_(0.1)
    assert moved(model, start) == 0.0
    assert moved(model, second, "critic") > 0.0
