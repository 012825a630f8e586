"""The stage's metrics, from its log and what became of the labeled turns."""

from collections import Counter
from collections.abc import Mapping, Sequence

from components.ppo.rewards import CATEGORIES
from components.ppo.samples import PromptSet
from components.ppo.state import LogRow
from components.ppo.training import TrainingResult


def first_and_last(log: Sequence[LogRow]) -> tuple[Sequence[LogRow], Sequence[LogRow]]:
    """The first and the last quarter of the steps, at least one each."""
    size = max(1, len(log) // 4)
    return log[:size], log[-size:]


def category_shares(log: Sequence[LogRow]) -> dict[str, float]:
    """The share of each category among the responses of some steps."""
    counts: Counter[str] = Counter()
    for row in log:
        counts.update(row.categories)
    return {name: count / counts.total() for name, count in counts.items()}


def mean_reward(log: Sequence[LogRow]) -> float:
    """The mean reward of the responses of some steps, in [-2, 1]."""
    return sum(row.reward * row.rollouts for row in log) / sum(row.rollouts for row in log)


def summarize(
    found: PromptSet, result: TrainingResult, *, distance: float, seconds: float
) -> dict[str, float]:
    """The stage's metrics; `_first` and `_last` are of the first and last quarter of the steps."""
    log = result.log
    first, last = first_and_last(log)
    shares: Mapping[str, dict[str, float]] = {"first": category_shares(first), "last": category_shares(last)}
    categories = {
        f"{name.replace(' ', '_')}_{when}": share.get(name, 0.0)
        for name in CATEGORIES
        for when, share in shares.items()
        if name in shares["first"] or name in shares["last"]
    }
    return {
        "reward_first": mean_reward(first),
        "reward_last": mean_reward(last),
        "kl_last": sum(row.kl for row in last) / len(last),
        "kl_highest": max(row.kl for row in log),
        "clipped": sum(row.clipped for row in log) / len(log),
        "value_loss_last": log[-1].value_loss,
        "explained_variance_last": log[-1].explained_variance,
        **categories,
        "moved": distance,
        "steps": len(log),
        "rollouts": sum(row.rollouts for row in log),
        "tokens": sum(row.tokens for row in log),
        "samples": len(found.samples),
        "turns": found.turns,
        "turns_without_calls": found.without_calls,
        "turns_faulty": found.faulty,
        "turns_merged": found.merged,
        "turns_quarantined": found.quarantined.total(),
        "turns_left_out": found.left_out,
        "resumed_from_step": result.resumed_from,
        "checkpoints_failed": result.checkpoints_failed,
        "seconds": round(seconds, 3),
    }
