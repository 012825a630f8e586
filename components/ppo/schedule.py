"""Which prompts each step answers, and its learning rate: pure functions, fixed before training starts."""

import math
import random
from collections.abc import Sequence

from components.ppo.settings import PPOSettings

Asked = tuple[int, int]  # a sample's number, and which of its rollouts


def plan_steps(count: int, settings: PPOSettings) -> list[tuple[Asked, ...]]:
    """The rollouts of each step. Each epoch is its own shuffle of all `count` samples.

    Rollouts of the same prompt stay together. The last batch of an epoch may be smaller.
    """
    prompts = max(1, settings.batch_size // settings.rollouts_per_prompt)
    steps = []
    for epoch in range(settings.epochs):
        order = list(range(count))
        random.Random(f"{settings.seed}/{epoch}").shuffle(order)
        for start in range(0, count, prompts):
            group = order[start : start + prompts]
            steps.append(
                tuple((number, copy) for number in group for copy in range(settings.rollouts_per_prompt))
            )
    return steps


def share_of(step: Sequence[Asked], process: int, processes: int) -> tuple[Asked, ...]:
    """What one of the data-parallel processes does of a step: neighbours, so that siblings stay together."""
    return tuple(step[len(step) * process // processes : len(step) * (process + 1) // processes])


def rate_at(step: int, steps: int, settings: PPOSettings) -> float:
    """What the learning rates are multiplied by for batch `step` of `steps`, counted from 0."""
    warm = math.ceil(settings.warmup * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    progress = (step - warm) / max(1, steps - warm)
    match settings.scheduler:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - progress
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * progress))
