"""Which chosen trace of a question meets which rejected one."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def meetings(chosen: Sequence[Item], rejected: Sequence[Item]) -> Iterator[tuple[Item, Item]]:
    """All len(chosen) * len(rejected) pairs, each once, so ordered that every beginning is even.

    After any number of pairs, no two of `chosen` have been taken more than one time apart, nor two of
    `rejected`: both go round, and after each common multiple of their numbers one side moves on by one.
    """
    if not chosen or not rejected:
        return
    common = math.lcm(len(chosen), len(rejected))
    for number in range(len(chosen) * len(rejected)):
        shift = number // common
        yield chosen[number % len(chosen)], rejected[(number + shift) % len(rejected)]


def shuffled(trace_ids: Sequence[str], seed: int) -> list[int]:
    """The indices of `trace_ids` in an order that depends on the ids and the seed alone."""

    def key(index: int) -> tuple[bytes, str]:
        text = f"{seed}\x1f{trace_ids[index]}"
        return hashlib.blake2b(text.encode(), digest_size=8).digest(), trace_ids[index]

    return sorted(range(len(trace_ids)), key=key)
