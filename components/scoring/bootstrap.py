"""Paired bootstrap: how sure a difference between two runs over the same questions is.

Questions are drawn with replacement, and both runs are read at the drawn questions (Efron &
Tibshirani 1993, ch. 13; percentile interval). A ratio such as the pass rate is recomputed from its
sums in every resample, since its denominator (the calls) differs from one resample to the next.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_CELLS_AT_ONCE = 4_000_000  # 32 MB of counts


@dataclass(frozen=True)
class Interval:
    """An observed difference (after - before) and the bounds of its interval."""

    mean: float
    low: float
    high: float


def paired_bootstrap(
    before: ArrayLike, after: ArrayLike, *, samples: int = 10_000, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """The interval of mean(after) - mean(before).

    before, after: (questions,) one value a question, in the same order.

    Raises:
        ValueError: no question, or the lengths differ.
    """
    first, second = _columns(before), _columns(after)
    ones_before, ones_after = np.ones_like(first), np.ones_like(second)
    [interval] = ratio_bootstrap(
        first, ones_before, second, ones_after, samples=samples, seed=seed, confidence=confidence
    )
    assert interval is not None
    return interval


def ratio_bootstrap(
    before: ArrayLike,
    before_of: ArrayLike,
    after: ArrayLike,
    after_of: ArrayLike,
    *,
    samples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> list[Interval | None]:
    """The intervals of sum(after) / sum(after_of) - sum(before) / sum(before_of), one a metric.

    All four: (questions,) or (questions, metrics), in the same order of questions. Every metric sees
    the same resamples. A resample without a denominator (no call was drawn) says nothing about the
    ratio and is left out; a metric whose observed denominator is 0 on either side gives None.

    Raises:
        ValueError: no question, shapes that differ, or samples < 1.
    """
    sums = [_columns(values) for values in (before, before_of, after, after_of)]
    if len({column.shape for column in sums}) != 1:
        raise ValueError(f"a paired bootstrap needs equal shapes, got {[column.shape for column in sums]}")
    questions, metrics = sums[0].shape
    if questions == 0 or samples < 1:
        raise ValueError("a paired bootstrap needs at least one question and one sample")
    table = np.concatenate(sums, axis=1)
    observed = _differences(table.sum(axis=0, keepdims=True))[0]
    drawn = _differences(_resampled_sums(table, samples, seed))
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]
    return [_interval(observed[metric], drawn[:, metric], tails) for metric in range(metrics)]


def _columns(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array


def _resampled_sums(table: Floats, samples: int, seed: int) -> Floats:
    """(samples, columns): the sums of `table` over each resample of its rows."""
    generator = np.random.default_rng(seed)
    rows = table.shape[0]
    chance = np.full(rows, 1 / rows)
    parts = []
    for start in range(0, samples, step := max(1, _CELLS_AT_ONCE // rows)):
        counts = generator.multinomial(rows, chance, size=min(step, samples - start))
        parts.append(counts.astype(np.float64) @ table)
    return np.concatenate(parts)


def _differences(sums: Floats) -> Floats:
    """(n, 4 * metrics) sums -> (n, metrics) differences of the ratios; NaN without a denominator."""
    before, before_of, after, after_of = np.split(sums, 4, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference: Floats = after / after_of - before / before_of
    return np.where((before_of > 0) & (after_of > 0), difference, np.nan)


def _interval(observed: float, drawn: Floats, tails: list[float]) -> Interval | None:
    known = drawn[~np.isnan(drawn)]
    if np.isnan(observed) or known.size == 0:
        return None
    low, high = np.percentile(known, tails)
    return Interval(mean=float(observed), low=float(low), high=float(high))
