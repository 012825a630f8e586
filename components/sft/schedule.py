"""Which examples each optimizer step sees, fixed before training starts.

The whole order is a pure function of the seed, so that a resumed run sees what the uninterrupted one
would have, however often it was stopped.
"""

import random
from collections.abc import Sequence


def plan_steps(
    count: int, batch_size: int, epochs: int, seed: int, *, processes: int = 1
) -> list[tuple[int, ...]]:
    """Indices of the examples of each optimizer step.

    Each epoch is its own shuffle of all `count` examples, cut into batches of `batch_size`. The last
    batch of an epoch may be smaller; smaller than `processes`, it joins the one before it.
    """
    steps: list[tuple[int, ...]] = []
    for epoch in range(epochs):
        order = list(range(count))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        batches = [tuple(order[start : start + batch_size]) for start in range(0, count, batch_size)]
        if len(batches) > 1 and len(batches[-1]) < processes:
            batches[-2:] = [batches[-2] + batches[-1]]
        steps += batches
    return steps


def split_micro_batches(lengths: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Positions in a batch, longest first, in groups of at most `size`: little padding in a group.

    Longest first, so that a batch that does not fit into memory shows at once.
    """
    order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    return [tuple(order[start : start + size]) for start in range(0, len(order), size)]


def shares(step: Sequence[int], processes: int) -> list[tuple[int, ...]]:
    """A step's examples dealt out to data-parallel processes; none is empty if there are enough."""
    return [tuple(step[process::processes]) for process in range(processes)]
