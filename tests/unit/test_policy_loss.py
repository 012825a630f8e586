"""The loss at supervised positions equals the dense one, in value and gradient."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from components.policy import logprobs
from components.policy.loss import supervised_cross_entropy, weighted_nll


def small_model(*, adapter: bool) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=0.2,
    )
    model: Any = LlamaForCausalLM(config)
    if adapter:
        model = get_peft_model(
            model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        )
    return model


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Right-padded rows; fractional weights; one row without any."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(97, (4, 12), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    weights = torch.rand(4, 12, generator=generator) * (torch.rand(4, 12, generator=generator) < 0.4) * mask
    weights[:, 0] = 1.0  # the first token is predicted by nothing, and must not count
    weights[3] = 0.0
    return ids, mask, weights


def dense_loss(model: Any, ids: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    logits = model(input_ids=ids, attention_mask=mask).logits.float()
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return (losses * weights[:, 1:]).sum() / weights[:, 1:].sum()


@pytest.mark.parametrize("adapter", [False, True])
def test_value_and_gradient_equal_the_dense_loss(adapter: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logprobs, "CHUNK", 5 * 97)
    model = small_model(adapter=adapter)
    ids, mask, weights = batch()
    gradients = []
    values = []
    for function in (dense_loss, supervised_cross_entropy):
        model.zero_grad()
        value = function(model, ids, mask, weights)
        value.backward()  # type: ignore[no-untyped-call]
        values.append(value.item())
        gradients.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert gradients[0].keys() == gradients[1].keys()
    assert len(gradients[0]) > 0
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, atol=1e-5, rtol=0, msg=name)


def test_logits_are_made_at_supervised_positions_only() -> None:
    model = small_model(adapter=False)
    ids, mask, weights = batch()
    seen: list[int] = []
    model.lm_head.register_forward_hook(
        lambda _module, _input, output: seen.append(output.reshape(-1, 97).shape[0])
    )
    supervised_cross_entropy(model, ids, mask, weights)
    assert seen == [int((weights[:, 1:] > 0).sum())]


def test_without_weight_the_loss_is_zero_and_has_a_gradient() -> None:
    model = small_model(adapter=False)
    ids, mask, _ = batch()
    value = supervised_cross_entropy(model, ids, mask, torch.zeros(ids.shape))
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == 0.0
    assert all(bool((p.grad == 0).all()) for p in model.parameters() if p.grad is not None)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(700, 50, generator=generator).bfloat16()
    labels = torch.randint(50, (700,), generator=generator)
    weights = torch.rand(700, generator=generator)
    expected = (F.cross_entropy(logits.double(), labels, reduction="none") * weights).sum()
    found = weighted_nll(logits, labels, weights)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
