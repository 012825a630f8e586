"""Which chosen trace of a question meets which rejected one."""

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from components.preferences.matching import meetings, shuffled


@given(chosen=st.integers(0, 9), rejected=st.integers(0, 9))
def test_every_two_meet_once_and_every_beginning_is_even(chosen: int, rejected: int) -> None:
    found = list(meetings(range(chosen), range(rejected)))
    assert sorted(found) == list(product(range(chosen), range(rejected)))
    for side, size in ((0, chosen), (1, rejected)):
        taken = Counter(dict.fromkeys(range(size), 0))
        for pair in found:
            taken[pair[side]] += 1
            assert max(taken.values()) - min(taken.values()) <= 1


def test_the_order_is_of_the_ids_and_the_seed_alone() -> None:
    ids = [f"q#{number}" for number in range(8)]
    first = [ids[index] for index in shuffled(ids, 19)]
    assert sorted(first) == ids
    assert first != ids
    backwards = ids[::-1]
    assert [backwards[index] for index in shuffled(backwards, 19)] == first
    assert [ids[index] for index in shuffled(ids, 20)] != first
