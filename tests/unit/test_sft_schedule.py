"""Which examples go into which step and micro-batch."""

from collections import Counter
from itertools import groupby

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainingArguments, get_scheduler

from components.dpo.settings import DPOSettings
from components.policy.shared_rows import MIN_SHARED
from components.policy.training_loop import SCHEDULERS
from components.policy.training_schedule import (
    find_families,
    plan_steps,
    shares,
    split_by_tokens,
    split_micro_batches,
    warm_up_steps,
)
from components.policy.training_settings import TrainingSettings
from components.sft.settings import SFTSettings

PRESETS = [
    model.parse(f'{{"preset": "{name}"}}') for model in (SFTSettings, DPOSettings) for name in model.presets
]


def learning_rates(settings: TrainingSettings, steps: int, warm: int) -> list[float]:
    """Those of all steps, by transformers' own schedulers."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=settings.learning_rate)
    scheduler = get_scheduler(SCHEDULERS[settings.scheduler], optimizer, warm, steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("settings", PRESETS)
def test_a_training_of_one_step_is_at_the_full_learning_rate(settings: TrainingSettings) -> None:
    assert warm_up_steps(1, 0.9) == 0
    assert learning_rates(settings, 1, warm_up_steps(1, settings.warmup)) == [settings.learning_rate]


@pytest.mark.parametrize("settings", PRESETS)
@pytest.mark.parametrize("steps", [2, 3, 4, 7, 43, 200])
def test_longer_trainings_warm_up_as_the_trainer_would_by_the_share(
    settings: TrainingSettings, steps: int
) -> None:
    by_share = TrainingArguments(warmup_steps=settings.warmup, use_cpu=True).get_warmup_steps(steps)
    assert learning_rates(settings, steps, warm_up_steps(steps, settings.warmup)) == learning_rates(
        settings, steps, by_share
    )


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_some_step_is_at_the_full_learning_rate(steps: int, share: float) -> None:
    assert 0 <= warm_up_steps(steps, share) < steps


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


@given(st.lists(st.integers(0, 7), min_size=1, max_size=60), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_families_keep_the_size_of_batches_and_are_together(
    families: list[int], batch_size: int, seed: int
) -> None:
    steps = plan_steps(len(families), batch_size, 2, seed, families=families)
    assert Counter(number for step in steps for number in step) == Counter(
        dict.fromkeys(range(len(families)), 2)
    )
    assert list(map(len, steps)) == list(map(len, plan_steps(len(families), batch_size, 2, seed)))
    assert steps == plan_steps(len(families), batch_size, 2, seed, families=families)
    for step in steps:
        runs = [family for family, _ in groupby(families[number] for number in step)]
        # A family larger than the batch is cut; its last part can be beside the first of the next.
        if max(Counter(families).values()) <= batch_size:
            assert len(runs) == len(set(runs))


def test_siblings_meet_in_one_step_where_they_fit() -> None:
    families = [number // 4 for number in range(64)]
    for step in plan_steps(64, 8, 3, seed=1, families=families):
        assert sorted(Counter(families[number] for number in step).values()) == [4, 4]


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_without_siblings_the_plan_is_as_if_nobody_looked_for_them(
    count: int, batch_size: int, processes: int, seed: int
) -> None:
    alone = plan_steps(count, batch_size, 2, seed, processes=processes, families=list(range(count)))
    assert alone == plan_steps(count, batch_size, 2, seed, processes=processes)


def test_families_are_continuations_of_one_prompt() -> None:
    system = [1] * MIN_SHARED
    prompts = [
        [*system, 2],
        [*system, 3],
        [*system, 2],
        [*system, 2, 9, 9],  # its first turn is masked
        [*system, 3, 4],
        [7, 7],
        [7, 7],  # too short to be worth it
    ]
    families = find_families(prompts)
    assert families[0] == families[2] == families[3]
    assert families[1] == families[4] != families[0]
    assert len(set(families)) == 4
    shuffled = find_families(prompts[::-1])[::-1]
    assert [families.index(one) for one in families] == [shuffled.index(one) for one in shuffled]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(1, 300))
def test_rows_are_grouped_within_their_tokens(lengths: list[int], tokens: int) -> None:
    groups = split_by_tokens(lengths, tokens)
    assert sorted(position for group in groups for position in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[position] for position in group) <= tokens


@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 8))
def test_shares_of_neighbours_deal_out_everything(step: list[int], processes: int) -> None:
    dealt = shares(step, processes, together=True)
    assert len(dealt) == processes
    assert [number for share in dealt for number in share] == step
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
