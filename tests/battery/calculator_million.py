"""`python -m tests.battery.calculator_million`: a million mutated expressions through the calculator.

Passes when none crashes, none takes 10 ms (the best of three counts) and
memory grows by less than 20 MB. Times are of the processor.
"""

import argparse
import contextlib
import random
import sys
import time

import psutil

from tests.arithmetic import HOSTILE, grow_expression, mutate
from tools_service.calculator import calculator
from tools_service.failures import ToolFailure

MEGABYTE = 1 << 20


def seconds(text: str) -> float:
    """How long one answer takes; anything but a number or a typed failure is raised."""
    start = time.thread_time()
    with contextlib.suppress(ToolFailure):
        calculator(text)
    return time.thread_time() - start


def main() -> int:
    """0 when everything passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    source = random.Random(given.seed)
    process = psutil.Process()
    for text in HOSTILE:
        seconds(text)
    before = process.memory_info().rss
    slowest, culprit = 0.0, ""
    for _ in range(given.count):
        text = mutate(source, grow_expression(source, depth=source.randint(1, 4))[0])
        taken = seconds(text)
        if taken > 0.01:
            taken = min(taken, seconds(text), seconds(text))
        if taken > slowest:
            slowest, culprit = taken, text
    grown = (process.memory_info().rss - before) / MEGABYTE
    print(
        f"{given.count} expressions, slowest {slowest * 1000:.2f} ms ({culprit[:60]!r}), memory {grown:+.1f} MB"
    )
    return 0 if slowest < 0.01 and grown < 20 else 1


if __name__ == "__main__":
    sys.exit(main())
