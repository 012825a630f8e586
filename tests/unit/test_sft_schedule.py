"""Which examples go into which step and micro-batch."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from components.sft.schedule import plan_steps, shares, split_micro_batches


@given(
    st.integers(1, 60), st.integers(1, 20), st.integers(1, 4), st.integers(0, 2**32 - 1), st.integers(1, 6)
)
def test_every_epoch_sees_every_example_once(
    count: int, batch_size: int, epochs: int, seed: int, processes: int
) -> None:
    steps = plan_steps(count, batch_size, epochs, seed, processes=processes)
    assert Counter(number for step in steps for number in step) == Counter(
        dict.fromkeys(range(count), epochs)
    )
    assert len(steps) % epochs == 0
    assert steps == plan_steps(count, batch_size, epochs, seed, processes=processes)
    if min(batch_size, count) >= processes:
        assert all(len(share) > 0 for step in steps for share in shares(step, processes))


def test_epochs_and_seeds_differ_in_order() -> None:
    first, second = plan_steps(50, 50, 2, seed=1)
    assert first != second
    assert plan_steps(50, 50, 1, seed=2)[0] != first


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.integers(1, 10))
def test_micro_batches_cover_a_batch_longest_first(lengths: list[int], size: int) -> None:
    groups = split_micro_batches(lengths, size)
    order = [position for group in groups for position in group]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[position] for position in order] == sorted(lengths, reverse=True)
    assert all(len(group) == size for group in groups[:-1])
    assert 1 <= len(groups[-1]) <= size


@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 8))
def test_shares_deal_out_everything(step: list[int], processes: int) -> None:
    dealt = shares(step, processes)
    assert len(dealt) == processes
    assert Counter(number for share in dealt for number in share) == Counter(step)
