"""Rates of calls against golds (TS, PI, CF) and of executed conversations (DE, CE, VA), from judged items.

All are shares in [0, 1]: `calls_*` of the questions that were judged by their golds, of which `calls_unparsed`
holds a call that can't be parsed and `calls_no_call` none; `executed_de` and `executed_ce` of the calls made
where tools were executed, `executed_va` of the questions there. None without a denominator.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.contracts.records import EvaluationItem
from components.contracts.tool_errors import ToolError
from components.scoring.bootstrap import Interval, ratio_bootstrap
from components.scoring.calls import CATEGORIES, NO_CALL
from components.scoring.executed import DOCUMENTATION_ERRORS

CALL_METRICS = ("calls_ts", "calls_pi", "calls_cf", "calls_unparsed", "calls_no_call")
EXECUTED_METRICS = ("executed_de", "executed_ce", "executed_va")
GOLD_METRICS = (*CALL_METRICS, *EXECUTED_METRICS)


class CallCounts(NamedTuple):
    """What one item adds: the parts of GOLD_METRICS, then their wholes (judged, calls made, executed)."""

    ts: int
    pi: int
    cf: int
    unparsed: int
    no_call: int
    de: int
    ce: int
    va: int
    judged: int
    calls: int
    executed: int


def call_counts(item: EvaluationItem) -> CallCounts:
    """The counts of one item; all zero for one that is judged in neither way."""
    judged = item.tool_selected is not None
    executed = item.valid_answer is not None
    documentation = sum(error in DOCUMENTATION_ERRORS for error in item.errors) if executed else 0
    return CallCounts(
        ts=int(bool(item.tool_selected)),
        pi=int(bool(item.parameters_identified)),
        cf=int(bool(item.content_filled)),
        unparsed=int(judged and item.unparsed),
        no_call=int(judged and item.category == NO_CALL),
        de=documentation,
        ce=len(item.errors) - documentation if executed else 0,
        va=int(bool(item.valid_answer)),
        judged=int(judged),
        calls=item.calls if executed else 0,
        executed=int(executed),
    )


def sum_counts(items: Iterable[EvaluationItem]) -> CallCounts:
    """The counts of a group of items."""
    columns = zip(*map(call_counts, items), strict=True)
    sums = [sum(column) for column in columns] or [0] * len(CallCounts._fields)
    return CallCounts(*sums)


def call_rates(items: Iterable[EvaluationItem]) -> dict[str, float | None]:
    """Each of GOLD_METRICS for a group of items."""
    parts, wholes = call_table([sum_counts(items)])
    return {
        metric: float(part / whole) if whole else None
        for metric, part, whole in zip(GOLD_METRICS, parts[0], wholes[0], strict=True)
    }


def is_unparsed(item: EvaluationItem) -> bool:
    """Whether a call of the item, in any of its turns, could not be parsed."""
    return item.unparsed or ToolError.PARSE_FAILURE in item.errors


def count_categories(items: Iterable[EvaluationItem]) -> dict[str, int]:
    """How many items judged by golds fell into each category; every category is a key, the worst first."""
    found = Counter(item.category for item in items if item.tool_selected is not None)
    return {category: found[category] for category in CATEGORIES}


def call_table(counts: Sequence[CallCounts]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numerators and denominators of GOLD_METRICS: two (items, metrics) arrays."""
    parts = [(c.ts, c.pi, c.cf, c.unparsed, c.no_call, c.de, c.ce, c.va) for c in counts]
    wholes = [(*[c.judged] * len(CALL_METRICS), c.calls, c.calls, c.executed) for c in counts]
    empty = np.zeros((0, len(GOLD_METRICS)))
    return (
        np.array(parts, dtype=np.float64) if parts else empty,
        np.array(wholes, dtype=np.float64) if wholes else empty,
    )


def call_differences(
    before: Sequence[EvaluationItem],
    after: Sequence[EvaluationItem],
    *,
    samples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Interval | None]:
    """The interval of after - before for each of GOLD_METRICS, by paired bootstrap over the questions.

    before, after: items of the same questions in the same order. None where a rate is undefined.

    Raises:
        ValueError: no item, or the lengths differ.
    """
    tables = (*call_table([*map(call_counts, before)]), *call_table([*map(call_counts, after)]))
    intervals = ratio_bootstrap(*tables, samples=samples, seed=seed, confidence=confidence)
    return dict(zip(GOLD_METRICS, intervals, strict=True))
