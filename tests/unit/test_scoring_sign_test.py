"""The sign test against every way in which the changes could have gone."""

from itertools import product

import pytest

from components.scoring.sign_test import sign_test


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (1, 0), (5, 0), (6, 0), (4, 3), (9, 1), (0, 7)])
def test_it_counts_all_ways(fixed: int, broken: int) -> None:
    ways = list(product((0, 1), repeat=fixed + broken))
    assert sign_test(fixed, broken) == sum(sum(way) >= fixed for way in ways) / len(ways)


def test_many_changes_do_not_overflow() -> None:
    assert 0.5 < sign_test(2000, 2000) < 0.51
    assert sign_test(2200, 1800) < 1e-9
