"""The figures of one step, put together from those of all processes."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from components.ppo.losses import explained_variance
from components.ppo.rewards import CATEGORIES
from components.ppo.state import LogRow
from components.ppo.update import Sums, Update


@dataclass(frozen=True)
class Share:
    """What one process adds to a step's figures.

    scores, categories: one a rollout. divergence: log pi_old - log pi_ref, summed over a micro-batch.
    values, returns: one a response token.
    """

    sums: Sums
    scores: list[float]
    categories: list[str]
    divergence: list[float]
    values: list[float]
    returns: list[float]


def measure(update: Update, sums: Sums) -> Share:
    """This process's share; `sums` are those of the last PPO epoch."""
    held = list(update.experience.values())
    return Share(
        sums=sums,
        scores=[rollout.score for rollout in update.rollouts],
        categories=[rollout.category for rollout in update.rollouts],
        divergence=[float(one.divergence.sum()) for one in held],
        values=[value for one in held for value in one.values[one.mask].tolist()],
        returns=[value for one in held for value in one.returns[one.mask].tolist()],
    )


def log_row(
    shares: Sequence[Share], update: Update, *, gradient_norms: Sequence[float], learning_rate: float
) -> LogRow:
    """The step's line in the log. gradient_norms: of actor and critic."""
    scores = [score for share in shares for score in share.scores]
    values = torch.tensor([value for share in shares for value in share.values])
    returns = torch.tensor([value for share in shares for value in share.returns])
    counts = Counter(name for share in shares for name in share.categories)
    return LogRow(
        step=update.step,
        loss=math.fsum(share.sums.policy_loss for share in shares),
        value_loss=math.fsum(share.sums.value_loss for share in shares),
        learning_rate=learning_rate,
        reward=math.fsum(scores) / len(scores),
        kl=math.fsum(one for share in shares for one in share.divergence) / len(scores),
        clipped=sum(share.sums.clipped for share in shares) / update.tokens,
        explained_variance=explained_variance(values, returns),
        gradient_norm=gradient_norms[0],
        critic_gradient_norm=gradient_norms[1],
        tokens=update.tokens,
        rollouts=len(scores),
        categories={name: counts[name] for name in CATEGORIES if counts[name]},
    )
