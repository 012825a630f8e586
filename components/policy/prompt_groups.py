"""Which prompts of a batch have their beginning read once for all of them.

A batch is read in two steps: the beginnings one by one, each going on from what it shares with the one before, then
the rests of all rows together, padded to the longest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from components.policy.kv_cache import Ids, common_length

# What one more forward pass costs beside its tokens, in tokens of a batch: on a CPU thread, with 135M parameters, 19 in
# float32 and 42 in bfloat16 were measured; on a GPU it is the time to launch the kernels, an estimate.
FORWARD_ON_CPU, FORWARD_ON_GPU = 32, 1024


@dataclass(frozen=True)
class PromptGroup:
    """Prompts [start, end) of a sorted batch share their first `shared` tokens; each has at least one behind."""

    start: int
    end: int
    shared: int


def plan_groups(prompts: Sequence[Ids], *, forward: int) -> list[PromptGroup]:
    """Groups that cover all prompts in order; of the ways tried, the one with the fewest tokens to read.

    prompts: distinct and sorted. forward: tokens that a pass of its own costs. Tried are: one group, and for each
    bound on the rests' lengths the longest groups whose rests stay within it.
    """
    shared = [0, *(common_length([one, other]) for one, other in pairwise(prompts))]
    longest = max(map(len, prompts))
    plans = [_bounded(prompts, shared, longest)]
    bound = 1
    while bound < longest:
        plans.append(_bounded(prompts, shared, bound))
        bound *= 2
    return min(plans, key=lambda plan: _cost(plan, prompts, shared, forward))


def _bounded(prompts: Sequence[Ids], shared: Sequence[int], bound: int) -> list[PromptGroup]:
    """Groups from the first on, each as long as no rest has more than `bound` tokens. shared: with the one before."""
    groups: list[PromptGroup] = []
    start, most, length = 0, len(prompts[0]), len(prompts[0]) - 1
    for place in range(1, len(prompts)):
        alike = min(length, shared[place], len(prompts[place]) - 1)
        widest = max(most, len(prompts[place]))
        if widest - alike <= bound:
            most, length = widest, alike
            continue
        groups.append(PromptGroup(start, place, length))
        start, most, length = place, len(prompts[place]), len(prompts[place]) - 1
    groups.append(PromptGroup(start, len(prompts), length))
    return groups


def _cost(groups: Sequence[PromptGroup], prompts: Sequence[Ids], shared: Sequence[int], forward: int) -> int:
    """Tokens to read, padding among them."""
    first = before = 0
    for group in groups:
        known = min(shared[group.start], before, group.shared)
        first += group.shared - known + forward * (group.shared > known)
        before = group.shared
    rest = max(len(prompt) - group.shared for group in groups for prompt in prompts[group.start : group.end])
    return first + len(prompts) * rest
