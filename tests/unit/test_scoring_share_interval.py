"""Intervals of shares: published numbers, the equation that defines them, and their symmetry."""

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.scoring.share_interval import share_interval


@pytest.mark.parametrize(
    ("right", "questions", "low", "high"),
    [  # Newcombe 1998, Table I: method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_intervals(right: int, questions: int, low: float, high: float) -> None:
    found = share_interval(right, questions)
    assert found.mean == right / questions
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 2000), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_bounds_are_the_shares_that_the_observed_one_is_just_likely_under(
    questions: int, data: st.DataObject, confidence: float
) -> None:
    right = data.draw(st.integers(0, questions))
    found = share_interval(right, questions, confidence=confidence)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.low < found.high
    score = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    for bound in (found.low, found.high):
        assert (found.mean - bound) ** 2 * questions == pytest.approx(score * bound * (1 - bound), abs=1e-9)
    other = share_interval(questions - right, questions, confidence=confidence)
    assert (1 - other.high, 1 - other.low) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize(("right", "questions"), [(0, 0), (-1, 3), (4, 3)])
def test_what_is_no_share_is_refused(right: int, questions: int) -> None:
    with pytest.raises(ValueError, match="right of at least one question"):
        share_interval(right, questions)
