"""Preference losses of log-probabilities: pure functions, a value for each pair.

All arguments are (pairs,) tensors of a float type, in nats; differentiable. `chosen` and `rejected` are the policy's
log-probabilities of the two continuations: sums over their trained tokens, or `mean_*`, the sums divided by the
numbers of those tokens. `reference_*` are the frozen reference's, without gradient.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def sigmoid_loss(
    chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, *, beta: float
) -> Tensor:
    """DPO: -log sigmoid(beta * h), h = (chosen - reference_chosen) - (rejected - reference_rejected).

    Rafailov et al. 2023, Eq. 7 (the self-training paper's Eq. 2, iTool's Eq. 11). log 2 where policy and
    reference are the same. beta > 0.
    """
    return -F.logsigmoid(beta * margin(chosen, rejected, reference_chosen, reference_rejected))


def ipo_loss(
    mean_chosen: Tensor,
    mean_rejected: Tensor,
    mean_reference_chosen: Tensor,
    mean_reference_rejected: Tensor,
    *,
    beta: float,
) -> Tensor:
    """IPO: (h - 1 / (2 * beta))^2, h as in `sigmoid_loss` but of means a token; beta is the paper's tau > 0.

    Azar et al. 2023, Eq. 17, which is written for whole continuations. Means are what its authors used by their own
    account, what TRL computes, and what makes one tau fit turns of 10 and of 500 tokens: the target 1 / (2 * tau) for
    a sum would ask as much of a short pair as of a long one. Give sums to have the equation as printed.
    """
    h = margin(mean_chosen, mean_rejected, mean_reference_chosen, mean_reference_rejected)
    return (h - 1 / (2 * beta)) ** 2


def simpo_loss(mean_chosen: Tensor, mean_rejected: Tensor, *, beta: float, gamma: float) -> Tensor:
    """SimPO: -log sigmoid(beta * (mean_chosen - mean_rejected) - gamma); no reference.

    Meng et al. 2024, Eq. 6. gamma >= 0 is the margin by which the reward has to be larger, not divided by beta.
    """
    return -F.logsigmoid(beta * (mean_chosen - mean_rejected) - gamma)


def orpo_loss(mean_chosen: Tensor, mean_rejected: Tensor, *, beta: float) -> Tensor:
    """ORPO: -mean_chosen - beta * log sigmoid(log(odds(chosen) / odds(rejected))); no reference.

    Hong et al. 2024, Eq. 6 and 7, with odds(y) = p / (1 - p) (Eq. 4) of p = exp(mean log-probability) (Eq. 3);
    beta is the paper's lambda. The first term is the likelihood of the chosen continuation's trained tokens (the
    paper's L_SFT); TRL adds the prompt's to it.
    """
    return -mean_chosen - beta * F.logsigmoid(log_odds_ratio(mean_chosen, mean_rejected))


def log_odds_ratio(mean_chosen: Tensor, mean_rejected: Tensor) -> Tensor:
    """log of odds(chosen) / odds(rejected): (c - log(1 - e^c)) - (r - log(1 - e^r)), for c, r < 0."""
    return (mean_chosen - log1mexp(mean_chosen)) - (mean_rejected - log1mexp(mean_rejected))


def log1mexp(value: Tensor) -> Tensor:
    """log(1 - exp(value)) for value < 0, accurate at both ends.

    log(-expm1(x)) near 0, where 1 - e^x cancels; log1p(-e^x) far from it (Maechler 2012). A continuation whose
    probability rounds to 1 is taken as the largest below it, so that value and gradient stay finite.
    """
    value = value.clamp(max=-torch.finfo(value.dtype).eps)
    near = value > -math.log(2)
    # Each branch sees only values at which its own gradient is finite.
    close, far = torch.where(near, value, -1.0), torch.where(near, -1.0, value)
    return torch.where(near, torch.log(-torch.expm1(close)), torch.log1p(-torch.exp(far)))


def margin(chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor) -> Tensor:
    """h: how much more the policy prefers the chosen one than the reference does, in nats."""
    return (chosen - reference_chosen) - (rejected - reference_rejected)
