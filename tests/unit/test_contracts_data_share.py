"""A share of the data: nested parts of about the asked size."""

from hypothesis import given
from hypothesis import strategies as st

from components.contracts.data_share import in_share

IDS = [f"question-{number}" for number in range(4000)]


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.integers(0, 2**32 - 1))
def test_smaller_parts_lie_in_larger_ones(one: float, other: float, seed: int) -> None:
    small, large = sorted((one, other))
    for name in IDS[:200]:
        assert in_share(name, large, seed) or not in_share(name, small, seed)


def test_a_part_has_about_its_share_of_the_questions() -> None:
    for share in (0.1, 0.25, 0.5, 0.75):
        kept = sum(in_share(name, share, 19) for name in IDS)
        # Four standard deviations of a binomial count.
        assert abs(kept - share * len(IDS)) < 4 * (len(IDS) * share * (1 - share)) ** 0.5


def test_all_is_all_and_another_seed_another_part() -> None:
    assert all(in_share(name, 1.0, 19) for name in IDS)
    parts = [{name for name in IDS if in_share(name, 0.5, seed)} for seed in (19, 20)]
    assert 0.4 < len(parts[0] & parts[1]) / len(parts[0]) < 0.6
