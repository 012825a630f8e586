"""The preference losses: by hand, by their gradients and properties, and against TRL's trainers."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from components.dpo.losses import (
    ipo_loss,
    log1mexp,
    log_odds_ratio,
    orpo_loss,
    sigmoid_loss,
    simpo_loss,
)
from components.dpo.objective import preference_losses
from components.dpo.settings import DPOSettings

# From `python -m tests.battery.trl_losses` (TRL 1.16.0, torch 2.13.0): log-probabilities of the chosen and of the
# rejected completions of three pairs, their numbers of tokens, and the loss that each trainer logged.
BETA, GAMMA = 0.3, 0.7
COUNTS = ([5, 4, 2], [3, 4, 4])
DPO_POLICY = (
    [-24.914661500113183, -24.649605677272373, -11.301534214593485],
    [-12.24399819660852, -22.968256461443403, -16.158711215572],
)
DPO_REFERENCE = (
    [-28.329880237870068, -20.42339259768493, -15.915593498188473],
    [-20.630547275963956, -28.018178345111863, -19.894072166397365],
)
FREE_POLICY = (
    [-25.738201153013723, -26.303412346732156, -11.139149371215314],
    [-15.98629122175953, -24.564078668315766, -22.363914644842218],
)
TRL_LOSS = {
    "dpo": 1.7024197578430176,
    "ipo": 10.08461856842041,
    "simpo": 1.1194392442703247,
    "orpo": 0.22231817245483398,  # beta times the odds ratio's term alone
}


def columns(rows: Any) -> Tensor:
    """(pairs, 2) of chosen and rejected."""
    return torch.tensor(rows, dtype=torch.float64).T


@pytest.mark.parametrize("loss", ["dpo", "ipo", "simpo", "orpo"])
def test_trl_says_the_same_of_the_same_batch(loss: str) -> None:
    policy = columns(DPO_POLICY if loss in ("dpo", "ipo") else FREE_POLICY)
    counts = columns(COUNTS)
    settings = DPOSettings.model_validate({"loss": loss, "beta": BETA, "gamma": GAMMA})
    found = preference_losses(policy, columns(DPO_REFERENCE), counts, settings)
    if loss == "orpo":
        found = found + (policy / counts)[:, 0]  # TRL's likelihood term has the prompt in it
    assert float(found.mean()) == pytest.approx(TRL_LOSS[loss], rel=2e-6)


def one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def test_by_hand() -> None:
    # h = (-1 + 2) - (-3 + 1) = 3
    found = sigmoid_loss(one(-1), one(-3), one(-2), one(-1), beta=0.5)
    assert float(found) == pytest.approx(math.log(1 + math.exp(-1.5)))
    assert float(ipo_loss(one(-1), one(-3), one(-2), one(-1), beta=0.25)) == pytest.approx(1.0)  # (3 - 2)^2
    # 2 * (-0.5 + 1) - 0.4 = 0.6
    assert float(simpo_loss(one(-0.5), one(-1), beta=2, gamma=0.4)) == pytest.approx(
        math.log(1 + math.exp(-0.6))
    )
    # p = 3/4 against 1/2: odds 3 against 1, sigmoid(log 3) = 3/4
    found = orpo_loss(one(math.log(0.75)), one(math.log(0.5)), beta=2.0)
    assert float(found) == pytest.approx(-math.log(0.75) - 2 * math.log(0.75))


def test_means_are_taken_of_each_sides_own_tokens() -> None:
    logprobs, reference = torch.tensor([[-4.0, -9.0]]), torch.tensor([[-6.0, -3.0]])
    counts = torch.tensor([[2.0, 3.0]])
    # 4 tau = 1: ((-2 + 3) - (-3 + 1) - 2)^2
    ipo = DPOSettings(loss="ipo", beta=0.25)
    assert float(preference_losses(logprobs, reference, counts, ipo)) == pytest.approx(1.0)
    plain, added = DPOSettings(beta=0.1), DPOSettings(beta=0.1, nll_weight=0.5)
    difference = preference_losses(logprobs, reference, counts, added) - preference_losses(
        logprobs, reference, counts, plain
    )
    assert float(difference) == pytest.approx(0.5 * 2.0)


nats = st.floats(-50, -1e-3)
betas = st.floats(0.01, 5)


@given(nats, nats, betas)
def test_policy_equal_to_its_reference_is_log_2(chosen: float, rejected: float, beta: float) -> None:
    found = sigmoid_loss(one(chosen), one(rejected), one(chosen), one(rejected), beta=beta)
    assert float(found) == math.log(2)


@given(nats, nats, nats, nats, betas, st.floats(0.01, 3))
def test_preferring_the_chosen_more_costs_less(
    chosen: float, rejected: float, first: float, second: float, beta: float, more: float
) -> None:
    """Sigmoid losses fall with the chosen one's log-probability, and rise with the rejected one's."""

    def at(chosen: float, rejected: float) -> list[float]:
        pair = one(chosen), one(rejected)
        losses = (
            sigmoid_loss(*pair, one(first), one(second), beta=beta),
            simpo_loss(*pair, beta=beta, gamma=0.3),
        )
        return [float(value) for value in losses]

    here = at(chosen, rejected)
    assert all(better <= value for better, value in zip(at(chosen + more, rejected), here, strict=True))
    assert all(worse >= value for worse, value in zip(at(chosen, rejected + more), here, strict=True))


@given(nats, nats, nats, nats, betas)
def test_ipo_is_least_where_the_margin_is_its_target(
    chosen: float, rejected: float, first: float, second: float, beta: float
) -> None:
    target = rejected - second + first + 1 / (2 * beta)
    least = ipo_loss(one(target), one(rejected), one(first), one(second), beta=beta)
    assert float(least) == pytest.approx(0.0, abs=1e-18 * max(1.0, target**2) * 1e4)
    assert (
        float(ipo_loss(one(chosen), one(rejected), one(first), one(second), beta=beta)) >= float(least) - 1e-9
    )


@given(nats, nats)
def test_odds_are_antisymmetric_and_ordered(first: float, second: float) -> None:
    there, back = log_odds_ratio(one(first), one(second)), log_odds_ratio(one(second), one(first))
    assert float(there) == -float(back)
    if first > second:
        assert float(there) >= first - second  # odds grow faster than probabilities


@given(st.floats(-700, -1e-12))
def test_log1mexp_is_accurate_at_both_ends(value: float) -> None:
    expected = math.log(-math.expm1(value)) if value > -0.7 else math.log1p(-math.exp(value))
    assert float(log1mexp(one(value))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, -1e-30, -200.0])
def test_orpo_stays_finite_at_certainty_and_at_nothing(value: float) -> None:
    chosen = torch.tensor([value], requires_grad=True)
    rejected = torch.tensor([-1.0], requires_grad=True)
    for pair in ((chosen, rejected), (rejected, chosen)):
        loss = orpo_loss(*pair, beta=0.1).sum()
        gradients = torch.autograd.grad(loss, [chosen, rejected])
        assert torch.isfinite(loss)
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


@pytest.mark.parametrize("loss", ["dpo", "ipo", "simpo", "orpo"])
def test_gradients(loss: str) -> None:
    generator = torch.Generator().manual_seed(5)
    logprobs = -8 * torch.rand(6, 2, dtype=torch.float64, generator=generator) - 0.1
    reference = -8 * torch.rand(6, 2, dtype=torch.float64, generator=generator) - 0.1
    counts = torch.randint(1, 9, (6, 2), generator=generator).double()
    settings = DPOSettings.model_validate({"loss": loss, "nll_weight": 0.0 if loss == "orpo" else 0.2})
    assert torch.autograd.gradcheck(
        lambda given: preference_losses(given, reference, counts, settings), logprobs.requires_grad_()
    )
