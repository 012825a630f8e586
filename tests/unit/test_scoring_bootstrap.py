"""The bootstrap against a plain loop, exact enumeration, and what must hold of any interval."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.scoring.bootstrap import paired_bootstrap, ratio_bootstrap


def test_the_mean_is_the_observed_difference() -> None:
    interval = paired_bootstrap([0, 0, 1, 0], [1, 1, 1, 0], samples=500, seed=1)
    assert interval.mean == pytest.approx(0.5)
    assert interval.low <= interval.mean <= interval.high


def test_a_seed_repeats_and_another_differs() -> None:
    generator = np.random.default_rng(0)
    before, after = generator.random(50), generator.random(50)
    assert paired_bootstrap(before, after, seed=3) == paired_bootstrap(before, after, seed=3)
    assert paired_bootstrap(before, after, seed=3) != paired_bootstrap(before, after, seed=4)


def test_pairing_matters() -> None:
    """The same difference on every question leaves nothing uncertain, however the questions vary."""
    before = np.arange(40) % 7
    interval = paired_bootstrap(before, before + 2, samples=200, seed=0)
    assert (interval.low, interval.mean, interval.high) == pytest.approx((2, 2, 2))


def test_agrees_with_every_resample_there_is() -> None:
    """Four questions have 4**4 equally likely resamples: the drawn quantiles approach the exact ones."""
    before, after = np.array([0.0, 1.0, 0.0, 2.0]), np.array([1.0, 1.0, 3.0, 0.5])
    exact = [np.mean([(after - before)[i] for i in drawn]) for drawn in product(range(4), repeat=4)]
    interval = paired_bootstrap(before, after, samples=40_000, seed=0)
    low, high = np.percentile(exact, [2.5, 97.5])
    assert interval.low == pytest.approx(low, abs=0.13)
    assert interval.high == pytest.approx(high, abs=0.13)


def test_a_ratio_agrees_with_a_plain_loop() -> None:
    generator = np.random.default_rng(5)
    calls = generator.integers(0, 4, size=(60, 2))
    passed = np.array([[generator.integers(0, count + 1) for count in row] for row in calls])
    [interval] = ratio_bootstrap(passed[:, 0], calls[:, 0], passed[:, 1], calls[:, 1], samples=6000, seed=0)
    drawn = []
    for _ in range(6000):
        rows = generator.integers(0, 60, size=60)
        sums, totals = passed[rows].sum(axis=0), calls[rows].sum(axis=0)
        drawn.append(sums[1] / totals[1] - sums[0] / totals[0])
    assert interval is not None
    assert interval.mean == pytest.approx(
        passed[:, 1].sum() / calls[:, 1].sum() - passed[:, 0].sum() / calls[:, 0].sum()
    )
    assert interval.low == pytest.approx(np.percentile(drawn, 2.5), abs=0.015)
    assert interval.high == pytest.approx(np.percentile(drawn, 97.5), abs=0.015)


def test_a_ratio_without_a_denominator_is_unknown() -> None:
    assert ratio_bootstrap([0, 0], [0, 0], [1, 1], [1, 1], samples=10) == [None]
    [rare] = ratio_bootstrap([1, 0], [1, 0], [1, 1], [1, 1], samples=200)
    assert rare is not None
    assert rare.mean == 0


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((30, 2))
    whole = paired_bootstrap(values[:, 0], values[:, 1], samples=1000, seed=9)
    monkeypatch.setattr("components.scoring.bootstrap._CELLS_AT_ONCE", 30 * 7)
    chunked = paired_bootstrap(values[:, 0], values[:, 1], samples=1000, seed=9)
    assert (chunked.low, chunked.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_an_interval_stays_in_range_and_turns_with_the_arms(pairs: list[tuple[bool, bool]]) -> None:
    before, after = [float(b) for b, _ in pairs], [float(a) for _, a in pairs]
    there, back = paired_bootstrap(before, after, samples=300), paired_bootstrap(after, before, samples=300)
    assert -1 <= there.low <= there.high <= 1
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        before, after = generator.random(80) < 0.4, generator.random(80) < 0.6
        interval = paired_bootstrap(before, after, samples=400, seed=seed)
        covered += interval.low <= 0.2 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


@pytest.mark.parametrize(("before", "after"), [([], []), ([1.0], [1.0, 2.0])])
def test_shapes_that_can_not_be_paired_are_refused(before: list[float], after: list[float]) -> None:
    with pytest.raises(ValueError, match="paired bootstrap"):
        paired_bootstrap(before, after)
