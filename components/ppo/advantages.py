"""Rewards of single tokens and generalised advantage estimation. Pure functions on (rows, tokens) tensors.

A row is one response. Token t is the action taken in state t, the state being all tokens before it.
Masks are True on the response's tokens, which are the row's first ones.
"""

import torch
from torch import Tensor


def token_rewards(
    scores: Tensor, logprobs: Tensor, reference: Tensor, mask: Tensor, *, kl_coefficient: float, clip: float
) -> Tensor:
    """What each token earns: a penalty for leaving the reference, and on the last one the task's reward.

        r_t = -beta (log pi(a_t|s_t) - log pi_ref(a_t|s_t)) + [t is the last] max(-c, min(R, c))

    scores: R of each row, (rows,). logprobs, reference: of the sampled tokens under the policy that
    sampled them and under the reference, (rows, tokens), in nats. mask: (rows, tokens). clip: c.
    Returns (rows, tokens), float32, 0 where the mask is False.
    """
    rewards = -kl_coefficient * (logprobs - reference).float().masked_fill(~mask, 0.0)
    counts = mask.sum(-1)
    rows = torch.nonzero(counts)[:, 0]
    rewards[rows, counts[rows] - 1] += scores.float().clamp(-clip, clip)[rows]
    return rewards


def estimate_advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, lambda_: float
) -> tuple[Tensor, Tensor]:
    """Advantages and returns by generalised advantage estimation.

        delta_t = r_t + gamma V(s_{t+1}) - V(s_t)        V behind the last token is 0
        A_t     = delta_t + gamma lambda A_{t+1}
        G_t     = A_t + V(s_t)

    rewards, values, mask: (rows, tokens). Returns two (rows, tokens), float32, 0 where the mask is False.
    """
    rewards, values = (each.float().masked_fill(~mask, 0.0) for each in (rewards, values))
    following = torch.zeros_like(values)
    following[:, :-1] = values[:, 1:]
    deltas = (rewards + gamma * following - values).masked_fill(~mask, 0.0)
    advantages = torch.zeros_like(deltas)
    later = torch.zeros_like(deltas[:, 0])
    for token in reversed(range(deltas.shape[1])):
        later = deltas[:, token] + gamma * lambda_ * later
        advantages[:, token] = later
    return advantages, advantages + values
