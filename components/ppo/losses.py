"""PPO's two losses and the figures beside them. Pure functions on (rows, tokens) tensors, float32.

Sums over the masked tokens are divided by `tokens`, the number of response tokens of the whole batch
(over all micro-batches and processes), so that the gradients of micro-batches add up to the batch's.
"""

import torch
from torch import Tensor


def policy_loss(
    logprobs: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, *, clip: float, tokens: float
) -> Tensor:
    """The clipped surrogate, a scalar to be minimised.

        ratio_t = exp(log pi(a_t|s_t) - log pi_old(a_t|s_t))
        L       = -(1 / tokens) sum_t min(ratio_t A_t, max(1 - eps, min(ratio_t, 1 + eps)) A_t)

    logprobs: under the policy that is trained; old: under the one that sampled. clip: eps.
    """
    ratio = _ratio(logprobs, old, mask)
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -gain.masked_fill(~mask, 0.0).sum() / tokens


def value_loss(
    values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, *, clip: float, tokens: float
) -> Tensor:
    """The clipped squared error of the critic, a scalar to be minimised.

        V'_t = max(V_old - eps, min(V_t, V_old + eps))
        L    = (1 / tokens) sum_t 1/2 max((V_t - G_t)^2, (V'_t - G_t)^2)

    values: of the critic that is trained; old: as it was when the batch was sampled. clip: eps.
    """
    near = old + (values.float() - old).clamp(-clip, clip)
    error = torch.maximum((values.float() - returns).square(), (near - returns).square())
    return 0.5 * error.masked_fill(~mask, 0.0).sum() / tokens


def clipped_tokens(logprobs: Tensor, old: Tensor, mask: Tensor, *, clip: float) -> Tensor:
    """How many tokens have a ratio outside [1 - eps, 1 + eps], a scalar."""
    away = (_ratio(logprobs.detach(), old, mask) - 1).abs() > clip
    return (away & mask).sum()


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """1 - Var(G - V) / Var(G) over (tokens,): 1 is perfect, 0 no better than a constant; 0 if G is constant."""
    if len(returns) < 2:
        return 0.0
    total = returns.double().var()
    return 1.0 - float((returns - values).double().var() / total) if float(total) > 0 else 0.0


def _ratio(logprobs: Tensor, old: Tensor, mask: Tensor) -> Tensor:
    return (logprobs.float() - old).masked_fill(~mask, 0.0).exp()
