"""Which examples each optimizer step sees, fixed before training starts.

The whole order is a pure function of the seed, so that a resumed run sees what the uninterrupted one
would have, however often it was stopped.
"""

import itertools
import math
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
    sizes = batch_sizes(count, batch_size, processes)
    everything = range(count)
    return [
        step
        for epoch in range(epochs)
        for step in _fill_batches(_shuffled(everything, f"{seed}/{epoch}"), families or everything, sizes)
    ]


def plan_phases(
    phases: Sequence[int],
    count: int,
    batch_size: int,
    epochs: int,
    seed: int,
    *,
    mixed: bool = False,
    processes: int = 1,
    families: Sequence[int] | None = None,
) -> list[tuple[int, ...]]:
    """As `plan_steps`, the examples of the lowest phase first, `epochs` times, then those of the next.

    phases: of each example. mixed: the control, in which every epoch shuffles all examples, into as many steps of the
    very same sizes, in shuffled order: nothing but the order of the examples is another.
    """
    members = [[number for number, phase in enumerate(phases) if phase == one] for one in sorted(set(phases))]
    sizes = [batch_sizes(len(one), batch_size, processes) for one in members]
    known = families or range(count)
    if mixed:
        every = [size for one in sizes for size in one]
        return [
            step
            for epoch in range(epochs)
            for step in _fill_batches(
                _shuffled(range(count), f"{seed}/{epoch}"), known, _shuffled(every, f"{seed}/{epoch}/sizes")
            )
        ]
    return [
        step
        for phase, (chosen, wanted) in enumerate(zip(members, sizes, strict=True))
        for epoch in range(epochs)
        for step in _fill_batches(_shuffled(chosen, f"{seed}/{phase}/{epoch}"), known, wanted)
    ]


def warm_up_steps(steps: int, share: float) -> int:
    """Over how many of `steps` the learning rate rises from 0: the share, rounded up, at most all but the last.

    So a training of a single step is not one at learning rate 0.
    """
    return max(0, min(math.ceil(steps * share), steps - 1))


def batch_sizes(count: int, batch_size: int, processes: int = 1) -> list[int]:
    """Of the batches of an epoch; a last one with fewer examples than `processes` joins the one before it."""
    whole, rest = divmod(count, batch_size)
    if whole and 0 < rest < processes:
        return [*[batch_size] * (whole - 1), batch_size + rest]
    return [batch_size] * whole + [rest] * bool(rest)


def _shuffled(items: Sequence[int], seed: str) -> list[int]:
    order = list(items)
    random.Random(seed).shuffle(order)
    return order


def _fill_batches(
    order: Sequence[int], families: Sequence[int], sizes: Sequence[int]
) -> list[tuple[int, ...]]:
    """Batches of these `sizes`: each takes the first families, in `order` of their first members, that fit in it.

    A family larger than the largest batch is cut into parts of that size beforehand.
    """
    members: dict[int, list[int]] = {}
    for example in order:
        members.setdefault(families[example], []).append(example)
    waiting: dict[int, deque[tuple[int, list[int]]]] = {}  # by size; (rank, members) in order of rank
    largest = max(sizes, default=1)
    parts = (
        whole[start : start + largest]
        for whole in members.values()
        for start in range(0, len(whole), largest)
    )
    for rank, part in enumerate(parts):
        waiting.setdefault(len(part), deque()).append((rank, part))
    batches: list[tuple[int, ...]] = []
    for wanted in sizes:
        batch: list[int] = []
        while len(batch) < wanted:
            room = wanted - len(batch)
            fitting = [queue for size, queue in waiting.items() if queue and size <= room]
            queue = min(fitting or filter(None, waiting.values()), key=lambda one: one[0][0])
            rank, part = queue.popleft()
            batch += part[:room]
            if part[room:]:
                waiting.setdefault(len(part) - room, deque()).appendleft((rank, part[room:]))
        batches.append(tuple(batch))
    return batches


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
