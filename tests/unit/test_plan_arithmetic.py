"""Operations against torch's own count of a small model's passes, against sums by hand, and by their properties."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig

from pipelines.plan.arithmetic import Work, decoding, forward, longest_of, trained_flops
from pipelines.plan.memory import live_bytes, training_bytes, weights_bytes
from pipelines.plan.shape import KNOWN, ModelShape, shape_of

LLAMA = KNOWN["llama-3.1-8b"]
TOKENS, LAYERS, TARGETS = 12, 6, ("q_proj", "v_proj")


@pytest.fixture
def small(tmp_path: Path) -> tuple[torch.nn.Module, ModelShape]:
    """A model whose attention is done by plain products, which torch counts, and its shape."""
    config = LlamaConfig(
        num_hidden_layers=LAYERS,
        hidden_size=48,
        intermediate_size=80,
        num_attention_heads=6,
        num_key_value_heads=2,
        vocab_size=200,
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    config.save_pretrained(tmp_path)
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager"), shape_of(str(tmp_path))


def counted(model: torch.nn.Module, *, backward: bool) -> tuple[int, int]:
    """Operations of products of matrices, and of batches of them (attention's), in a pass over TOKENS tokens."""
    ids = torch.arange(TOKENS)[None]
    with FlopCounterMode(display=False) as counter:
        logits = model(input_ids=ids, use_cache=False).logits
        if backward:
            logits.sum().backward()
    found = counter.get_flop_counts()["Global"]
    attention = found.pop(torch.ops.aten.bmm, 0)
    return sum(found.values()), attention


def test_a_forward_pass_is_what_torch_counts(small: tuple[torch.nn.Module, ModelShape]) -> None:
    model, shape = small
    work = forward(shape, TOKENS, logits=TOKENS)
    linear, attention = counted(model, backward=False)
    assert linear == work.layers + work.head
    # Plain products make all scores, also those that the mask hides.
    everything = 4 * shape.layers * shape.heads * shape.head_size * TOKENS**2
    assert attention == everything
    assert work.attention == pytest.approx(everything * (TOKENS + 1) / (2 * TOKENS))


def test_training_every_weight_is_what_torch_counts(small: tuple[torch.nn.Module, ModelShape]) -> None:
    model, shape = small
    linear, attention = counted(model, backward=True)
    work = forward(shape, TOKENS, logits=TOKENS)
    assert linear == trained_flops(Work(work.layers, 0, work.head), whole=True, again=False)
    everything = 4 * shape.layers * shape.heads * shape.head_size * TOKENS**2
    assert attention == trained_flops(Work(0, everything), whole=True, again=False)


def test_training_an_adapter_is_what_torch_counts_but_for_the_first_layer(
    small: tuple[torch.nn.Module, ModelShape],
) -> None:
    model, shape = small
    adapter = shape.adapter_parameters(4, TARGETS)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=list(TARGETS), task_type="CAUSAL_LM"))
    linear, _ = counted(tuned, backward=True)
    work = forward(shape, TOKENS, logits=TOKENS)
    told = trained_flops(
        Work(work.layers, 0, work.head), whole=False, again=False, adapter=adapter, tokens=TOKENS
    )
    # Nothing before the first layer is trained: the gradient of its inputs is not made.
    sides = [shape.projections[name] for name in ("q_proj", "k_proj", "v_proj")]
    first = 2 * TOKENS * sum(inputs * outputs for inputs, outputs in sides)
    first += 2 * TOKENS * 4 * shape.hidden * len(TARGETS)  # of the adapter's own inputs
    assert linear == told - first


def test_llama_31_8b_by_hand() -> None:
    # Weights of a layer: 2 * 4096^2 (q, o) + 2 * 4096 * 1024 (k, v) + 3 * 4096 * 14336.
    layer = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    work = forward(LLAMA, 1, logits=1)
    assert work.layers == 2 * 32 * layer == 13_958_643_712
    assert work.head == 2 * 4096 * 128256
    assert work.attention == 4 * 32 * 4096
    # About twice the parameters without the embedding (Kaplan et al. 2020).
    assert work.flops == pytest.approx(2 * (8.03e9 - 4096 * 128256), rel=0.001)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 400))
def test_reading_in_two_parts_is_reading_at_once(first: int, second: int, behind: int) -> None:
    parts = forward(LLAMA, first, behind=behind) + forward(LLAMA, second, behind=behind + first)
    assert parts.flops == pytest.approx(forward(LLAMA, first + second, behind=behind).flops)


@given(st.booleans(), st.floats(1, 1e4), st.floats(1, 1e4))
def test_checkpointing_costs_one_more_forward_pass_of_the_layers(
    whole: bool, tokens: float, logits: float
) -> None:
    work = forward(LLAMA, tokens, logits=logits)
    more = trained_flops(work, whole=whole, again=True) - trained_flops(work, whole=whole, again=False)
    assert more == pytest.approx(work.layers + work.attention)


def test_the_longest_of_geometric_turns_is_what_draws_give() -> None:
    torch.manual_seed(3)
    drawn = torch.distributions.Geometric(1 / 80).sample((4000, 64)) + 1
    assert longest_of(80, 64, 10_000) == pytest.approx(drawn.max(dim=1).values.mean().item(), rel=0.02)
    assert longest_of(80, 1, 10_000) == 80
    assert longest_of(80, 64, 128) == 128


def test_decoding_by_hand() -> None:
    shape = ModelShape("tiny", 1, 4, 8, 2, 1, 2, 10)
    one = decoding(shape, turns=6, tokens=3, context=5, rows=2, most=4, weight_bytes=1000)
    # Three batches of two, each 3 * (1 + 1/2) steps, at most 4.
    assert one.steps == 3 * 4
    # Positions seen: 6 + 7 + 8 of each turn, 2 (K, V) * 1 layer * 1 head * 2 * 2 bytes each.
    assert one.bytes == 12 * 1000 + 6 * 21 * 8
    weights = 4 * 4 + 2 * 4 * 2 + 4 * 4 + 3 * 4 * 8
    assert one.flops == 6 * (2 * weights * 3 + 4 * 4 * 21 + 2 * 4 * 10 * 3)


def test_a_turn_that_is_over_makes_room_at_once_on_a_server() -> None:
    served = decoding(
        LLAMA, turns=640, tokens=100, context=500, rows=64, most=512, weight_bytes=1, continuous=True
    )
    batched = decoding(LLAMA, turns=640, tokens=100, context=500, rows=64, most=512, weight_bytes=1)
    assert served.steps == 640 * 100 / 64
    assert served.steps < batched.steps
    assert served.flops == batched.flops


def test_full_training_takes_sixteen_bytes_a_parameter() -> None:
    held = training_bytes(LLAMA, whole=True, quantized=False, adapter=0, tokens=0, supervised=0, again=True)
    assert held == 16 * 8_030_261_248


def test_an_adapter_of_quantized_weights_by_hand() -> None:
    held = training_bytes(
        LLAMA, whole=False, quantized=True, adapter=1000, tokens=0, supervised=0, again=True
    )
    layers = LLAMA.layer_weights
    assert held == pytest.approx(layers * 4.127 / 8 + (LLAMA.parameters - layers) * 2 + 16_000)
    assert weights_bytes(LLAMA) == 2 * 8_030_261_248


def test_checkpointed_activations_by_hand() -> None:
    def of(again: bool, tokens: int) -> float:
        return training_bytes(
            LLAMA, whole=False, quantized=False, adapter=0, tokens=tokens, supervised=0, again=again
        ) - weights_bytes(LLAMA)

    assert live_bytes(LLAMA) == 2 * (4 * 4096 + 2 * 4096 + 2 * 1024 + 4 * 14336)
    assert of(True, 100) == 100 * (32 * 4096 * 2 + live_bytes(LLAMA))
    assert of(False, 100) == 100 * 32 * live_bytes(LLAMA)
