"""Shapes against the published counts, and against models that transformers and peft make of the same sizes."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from components.contracts.errors import InputError
from pipelines.plan.shape import KNOWN, shape_of

# As the models' own pages and safetensors indices give them.
PUBLISHED = {
    "smollm2-135m": 134_515_008,
    "llama-3.2-1b": 1_235_814_400,
    "llama-3.2-3b": 3_212_749_824,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496,
    "mistral-7b-v0.3": 7_248_023_552,
    "qwen2.5-1.5b": 1_543_714_304,
    "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-14b": 14_770_033_664,
    "qwen2.5-32b": 32_763_876_352,
    "qwen3-8b": 8_190_735_360,
}
SIZES = {
    "num_hidden_layers": 3,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "vocab_size": 200,
}
CONFIGS = {
    "llama": LlamaConfig,
    "llama tied": LlamaConfig,
    "mistral": MistralConfig,
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
}


def config_of(name: str) -> PretrainedConfig:
    """A small model's config."""
    return CONFIGS[name](
        **SIZES, tie_word_embeddings=name.endswith("tied"), head_dim=16 if name == "qwen3" else 8
    )


def test_parameters_are_the_published_ones() -> None:
    assert {name: shape.parameters for name, shape in KNOWN.items()} == PUBLISHED


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_counted_as_transformers_builds_it(name: str, tmp_path: Path) -> None:
    config = config_of(name)
    config.save_pretrained(tmp_path)
    shape = shape_of(str(tmp_path))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())
        assert shape.name == tmp_path.name
        targets = ["q_proj", "v_proj", "down_proj"]
        tuned = get_peft_model(model, LoraConfig(r=5, target_modules=targets, task_type="CAUSAL_LM"))
    trainable = sum(parameter.numel() for parameter in tuned.parameters() if parameter.requires_grad)
    assert shape.adapter_parameters(5, targets) == trainable


def test_keys_and_values_take_what_the_cache_holds(tmp_path: Path) -> None:
    config = config_of("llama")
    config.save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_config(config).to(torch.bfloat16)
    cache = model(input_ids=torch.zeros((1, 7), dtype=torch.long), use_cache=True).past_key_values
    held = sum(one.nbytes for layer in cache.layers for one in (layer.keys, layer.values))
    assert 7 * shape_of(str(tmp_path)).kv_bytes == held


def test_one_token_of_llama_31_8b_takes_128_kib_of_keys_and_values() -> None:
    assert KNOWN["llama-3.1-8b"].kv_bytes == 128 * 1024


def test_rank_16_on_queries_and_values_of_llama_31_8b() -> None:
    # 32 layers * 16 * ((4096 + 4096) + (4096 + 1024))
    assert KNOWN["llama-3.1-8b"].adapter_parameters(16, ("q_proj", "v_proj")) == 6_815_744


@settings(max_examples=20)
@given(st.sampled_from(sorted(KNOWN)), st.sampled_from(["", "hf://org/"]), st.sampled_from(["", "-Instruct"]))
def test_a_model_is_known_by_its_hub_name(name: str, host: str, ending: str) -> None:
    assert shape_of(f"{host}{name.title()}{ending}") is KNOWN[name]


def test_a_release_date_does_not_matter() -> None:
    assert shape_of("hf://Qwen/Qwen3-8B-Instruct-2507") is KNOWN["qwen3-8b"]


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(InputError, match=r"base: unknown 'lama-3.1-8b' \(did you mean 'llama-3.1-8b'\?\)"):
        shape_of("lama-3.1-8b")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2'; expected one of llama"),
        ([], "model_type is 'list'"),
        (
            {"model_type": "llama", "num_attention_heads": 0},
            "num_attention_heads: expected a whole number above 0, got 0",
        ),
        (
            {"model_type": "llama", "num_attention_heads": 4},
            "hidden_size: expected a whole number above 0, got None",
        ),
    ],
)
def test_a_config_that_cannot_be_counted_is_refused(config: object, told: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=told):
        shape_of(str(tmp_path))


def test_a_folder_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json that can be read"):
        shape_of(str(tmp_path))


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(InputError, match=r"lora_targets: unknown 'q_project'.*did you mean 'q_proj'"):
        KNOWN["llama-3.1-8b"].adapter_parameters(8, ("q_project",))
