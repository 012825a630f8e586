"""GAE, token rewards and losses against brute force, one number at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from components.policy.logprobs import token_logprobs
from components.ppo.advantages import estimate_advantages, token_rewards
from components.ppo.losses import clipped_tokens, explained_variance, policy_loss, value_loss

numbers = st.floats(-3, 3, width=32)


@st.composite
def responses(draw: st.DrawFn, tensors: int) -> tuple[list[list[int]], list[list[list[float]]]]:
    """Lengths as masks, and some (rows, tokens) lists of numbers, garbage behind the responses included."""
    rows, tokens = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    lengths = [draw(st.integers(1, tokens)) for _ in range(rows)]
    mask = [[int(token < length) for token in range(tokens)] for length in lengths]
    table = st.lists(st.lists(numbers, min_size=tokens, max_size=tokens), min_size=rows, max_size=rows)
    return mask, [draw(table) for _ in range(tensors)]


def tensor_of(values: list[list[float]]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


@settings(max_examples=60, deadline=None)
@given(responses(2), st.sampled_from([1.0, 0.9, 0.0]), st.sampled_from([0.95, 1.0, 0.0]))
def test_advantages_are_the_sums_of_the_definition(
    drawn: tuple[list[list[int]], list[list[list[float]]]], gamma: float, lambda_: float
) -> None:
    """A_t = sum over l of (gamma lambda)^l (r + gamma V' - V), written out; returns are A + V."""
    mask, (rewards, values) = drawn
    advantages, returns = estimate_advantages(
        tensor_of(rewards), tensor_of(values), torch.tensor(mask).bool(), gamma=gamma, lambda_=lambda_
    )
    for row, kept in enumerate(mask):
        length = sum(kept)
        for token in range(len(kept)):
            expected = 0.0
            for later in range(token, length):
                next_value = values[row][later + 1] if later + 1 < length else 0.0
                delta = rewards[row][later] + gamma * next_value - values[row][later]
                expected += (gamma * lambda_) ** (later - token) * delta
            assert float(advantages[row, token]) == pytest.approx(expected, abs=1e-4)
            value = values[row][token] if kept[token] else 0.0
            assert float(returns[row, token]) == pytest.approx(expected + value, abs=1e-4)


def test_with_gamma_and_lambda_one_the_return_is_the_sum_of_what_is_to_come() -> None:
    rewards, mask = torch.tensor([[0.5, -1.0, 2.0]]), torch.ones(1, 3).bool()
    _, returns = estimate_advantages(rewards, torch.randn(1, 3), mask, gamma=1.0, lambda_=1.0)
    torch.testing.assert_close(returns, torch.tensor([[1.5, 1.0, 2.0]]))


@settings(max_examples=60, deadline=None)
@given(responses(2), st.floats(0, 1), st.lists(st.floats(-9, 9), min_size=4, max_size=4))
def test_token_rewards(
    drawn: tuple[list[list[int]], list[list[list[float]]]], beta: float, scores: list[float]
) -> None:
    mask, (logprobs, reference) = drawn
    found = token_rewards(
        torch.tensor(scores[: len(mask)]),
        tensor_of(logprobs),
        tensor_of(reference),
        torch.tensor(mask).bool(),
        kl_coefficient=beta,
        clip=5.0,
    )
    for row, kept in enumerate(mask):
        for token in range(len(kept)):
            expected = -beta * (logprobs[row][token] - reference[row][token]) if kept[token] else 0.0
            expected += max(-5.0, min(5.0, scores[row])) if token == sum(kept) - 1 else 0.0
            assert float(found[row, token]) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(responses(3))
def test_losses_against_loops(drawn: tuple[list[list[int]], list[list[list[float]]]]) -> None:
    mask, (new, old, weights) = drawn
    tokens = sum(map(sum, mask))
    policy = value = 0.0
    outside = 0
    for row, kept in enumerate(mask):
        for token in range(sum(kept)):
            ratio = math.exp(new[row][token] - old[row][token])
            gain = min(ratio * weights[row][token], max(0.8, min(1.2, ratio)) * weights[row][token])
            policy -= gain / tokens
            outside += abs(ratio - 1) > 0.2
            near = old[row][token] + max(-0.2, min(0.2, new[row][token] - old[row][token]))
            target = weights[row][token]
            value += 0.5 * max((new[row][token] - target) ** 2, (near - target) ** 2) / tokens
    keep = torch.tensor(mask).bool()
    a, b, c = (tensor_of(each) for each in (new, old, weights))
    assert float(policy_loss(a, b, c, keep, clip=0.2, tokens=tokens)) == pytest.approx(
        policy, rel=1e-4, abs=1e-4
    )
    assert float(value_loss(a, b, c, keep, clip=0.2, tokens=tokens)) == pytest.approx(
        value, rel=1e-4, abs=1e-4
    )
    assert abs(int(clipped_tokens(a, b, keep, clip=0.2)) - outside) <= sum(
        abs(abs(math.exp(new[r][t] - old[r][t]) - 1) - 0.2) < 1e-4
        for r, k in enumerate(mask)
        for t in range(sum(k))
    )


def test_what_is_masked_has_no_gradient() -> None:
    new = torch.randn(2, 4, requires_grad=True)
    mask = torch.tensor([[True, True, False, False], [True, False, False, False]])
    garbage = torch.full((2, 4), 1e30).masked_fill(mask, 0.5)
    loss = policy_loss(new, garbage, garbage, mask, clip=0.2, tokens=3)
    loss = loss + value_loss(new, garbage, garbage, mask, clip=0.2, tokens=3)
    torch.autograd.backward(loss)
    assert new.grad is not None
    assert bool(torch.isfinite(new.grad).all())
    assert not new.grad[~mask].any()


@pytest.mark.parametrize(
    ("advantage", "ratio", "moves"),
    [(1.0, 1.5, False), (1.0, 0.5, True), (-1.0, 0.5, False), (-1.0, 1.5, True)],
)
def test_clipping_stops_the_gradient_only_where_it_would_go_further(
    advantage: float, ratio: float, moves: bool
) -> None:
    new = torch.tensor([[math.log(ratio)]], requires_grad=True)
    loss = policy_loss(
        new, torch.zeros(1, 1), torch.tensor([[advantage]]), torch.ones(1, 1).bool(), clip=0.2, tokens=1
    )
    torch.autograd.backward(loss)
    assert new.grad is not None
    assert bool(new.grad.any()) is moves


def test_explained_variance() -> None:
    returns = torch.tensor([1.0, 2.0, 4.0])
    assert explained_variance(returns, returns) == 1.0
    assert explained_variance(torch.zeros(3), returns) == pytest.approx(0.0)
    assert explained_variance(-returns, returns) == pytest.approx(-3.0)
    assert explained_variance(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 3.0])) == 0.0
    assert explained_variance(torch.tensor([1.0]), torch.tensor([2.0])) == 0.0


@pytest.mark.parametrize("chunk", [1, 50, 1 << 23])
def test_token_logprobs_and_their_gradient(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.policy.logprobs.CHUNK", chunk)
    torch.manual_seed(0)
    logits = (4 * torch.randn(13, 17)).requires_grad_()
    labels, slope = torch.randint(17, (13,)), torch.randn(13)
    found = token_logprobs(logits, labels)
    (gradient,) = torch.autograd.grad(found, logits, slope)
    expected = logits.log_softmax(-1).gather(-1, labels[:, None])[:, 0]
    (dense,) = torch.autograd.grad(expected, logits, slope)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient, dense)
    half = logits.detach().bfloat16().requires_grad_()
    (gradient,) = torch.autograd.grad(token_logprobs(half, labels), half, slope)
    torch.testing.assert_close(gradient.float(), dense, atol=0.05, rtol=0.05)
