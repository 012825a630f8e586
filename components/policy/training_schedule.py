"""Which examples each optimizer step sees, fixed before training starts.

The whole order is a pure function of the seed, so that a resumed run sees what the uninterrupted one
would have, however often it was stopped.
"""

import itertools
import random
from array import array
from collections import deque
from collections.abc import Sequence

from components.policy.shared_rows import MIN_SHARED


def find_families(prompts: Sequence[Sequence[int]]) -> list[int]:
    """For each example the number of its family: continuations of one prompt, which can share its encoding.

    prompts: the ids before each example's first supervised token. One that goes on from another's prompt (its
    first turns are masked) is in that family too. Prompts shorter than `MIN_SHARED` are alone.
    """
    families = [0] * len(prompts)
    begun, root = 0, b""
    keys = [array("i", prompt).tobytes() for prompt in prompts]  # far quicker to compare
    for number in sorted(range(len(prompts)), key=keys.__getitem__):
        # What extends a prompt directly follows it in this order.
        if not root or not keys[number].startswith(root):
            begun += 1
            root = keys[number] if len(prompts[number]) >= MIN_SHARED else b""
        families[number] = begun
    return families


def plan_steps(
    count: int,
    batch_size: int,
    epochs: int,
    seed: int,
    *,
    processes: int = 1,
    families: Sequence[int] | None = None,
) -> list[tuple[int, ...]]:
    """Indices of the examples of each optimizer step.

    Each epoch is its own shuffle of all `count` examples, cut into batches of `batch_size`. The last
    batch of an epoch may be smaller; smaller than `processes`, it joins the one before it.
    families: of each example, its family's number. A family goes into one batch, side by side, unless it is
    larger than the batch or none is small enough to fill what is left of one. Families of one are as none.
    """
    steps: list[tuple[int, ...]] = []
    for epoch in range(epochs):
        order = list(range(count))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        batches = _fill_batches(order, families or range(count), batch_size)
        if len(batches) > 1 and len(batches[-1]) < processes:
            batches[-2:] = [batches[-2] + batches[-1]]
        steps += batches
    return steps


def _fill_batches(order: Sequence[int], families: Sequence[int], batch_size: int) -> list[tuple[int, ...]]:
    """Each batch takes the first families, in `order` of their first members, that fit what is left of it."""
    members: dict[int, list[int]] = {}
    for example in order:
        members.setdefault(families[example], []).append(example)
    waiting: dict[int, deque[tuple[int, list[int]]]] = {}  # by size; (rank, members) in order of rank
    parts = (
        whole[start : start + batch_size]
        for whole in members.values()
        for start in range(0, len(whole), batch_size)
    )
    for rank, part in enumerate(parts):
        waiting.setdefault(len(part), deque()).append((rank, part))
    batches: list[tuple[int, ...]] = []
    batch: list[int] = []
    while any(waiting.values()):
        room = batch_size - len(batch)
        fitting = [queue for size, queue in waiting.items() if queue and size <= room]
        queue = min(fitting or filter(None, waiting.values()), key=lambda one: one[0][0])
        rank, part = queue.popleft()
        batch += part[:room]
        if part[room:]:
            waiting.setdefault(len(part) - room, deque()).appendleft((rank, part[room:]))
        if len(batch) == batch_size:
            batches.append(tuple(batch))
            batch = []
    return [*batches, tuple(batch)] if batch else batches


def split_micro_batches(lengths: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Positions in a batch, longest first, in groups of at most `size`: little padding in a group.

    Longest first, so that a batch that does not fit into memory shows at once.
    """
    order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    return [tuple(order[start : start + size]) for start in range(0, len(order), size)]


def split_by_tokens(lengths: Sequence[int], tokens: int) -> list[tuple[int, ...]]:
    """Positions of rows, longest first, in groups of at most `tokens` with their padding; at least one each."""
    groups: list[tuple[int, ...]] = []
    for position in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        if groups and (len(groups[-1]) + 1) * lengths[groups[-1][0]] <= tokens:
            groups[-1] = (*groups[-1], position)
        else:
            groups.append((position,))
    return groups


def shares(step: Sequence[int], processes: int, *, together: bool = False) -> list[tuple[int, ...]]:
    """A step's examples dealt out to data-parallel processes; none is empty if there are enough.

    together: neighbours go to the same process, where they can be encoded together; else in turn.
    """
    if not together:
        return [tuple(step[process::processes]) for process in range(processes)]
    edges = [len(step) * process // processes for process in range(processes + 1)]
    return [tuple(step[start:end]) for start, end in itertools.pairwise(edges)]
