"""Pods on a cluster: by hand, and within the bounds that any such schedule keeps."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.errors import InputError
from pipelines.plan.simulation import Job, most_at_once, simulate


@st.composite
def dags(draw: st.DrawFn) -> list[Job]:
    """Jobs that wait for some of those before them."""
    jobs: list[Job] = []
    for number in range(draw(st.integers(1, 8))):
        after = tuple(job.key for job in jobs if draw(st.booleans()))
        pods, devices = draw(st.integers(1, 5)), draw(st.integers(0, 3))
        jobs.append(Job(str(number), after, pods, devices, float(draw(st.integers(1, 50)))))
    return jobs


def longest_path(jobs: Sequence[Job]) -> float:
    ends: dict[str, float] = {}
    for job in jobs:
        ends[job.key] = max((ends[key] for key in job.after), default=0.0) + job.wall
    return max(ends.values())


def pods_of(jobs: Sequence[Job], devices: int | None) -> list[tuple[float, float, int]]:
    begins = simulate(jobs, devices)
    assert all(len(begins[job.key]) == job.pods for job in jobs)
    return [(begin, begin + job.wall, job.devices) for job in jobs for begin in begins[job.key]]


@given(dags())
def test_with_enough_accelerators_the_run_is_its_longest_path(jobs: list[Job]) -> None:
    assert max(end for _, end, _ in pods_of(jobs, None)) == longest_path(jobs)


@given(dags(), st.integers(3, 12))
def test_a_cluster_is_never_overbooked_and_order_is_kept(jobs: list[Job], devices: int) -> None:
    pods = pods_of(jobs, devices)
    assert most_at_once(pods) <= devices
    begins = simulate(jobs, devices)
    walls = {job.key: job.wall for job in jobs}
    for job in jobs:
        for key in job.after:
            assert begins[job.key][0] >= begins[key][-1] + walls[key]
    end = max(end for _, end, _ in pods)
    held = sum(job.pods * job.devices * job.wall for job in jobs)
    assert end >= max(longest_path(jobs), held / devices)


@given(dags())
def test_one_pod_after_the_other_on_a_single_accelerator(jobs: list[Job]) -> None:
    single = [Job(job.key, job.after, job.pods, 1, job.wall) for job in jobs]
    assert max(end for _, end, _ in pods_of(single, 1)) == sum(job.pods * job.wall for job in jobs)


def test_five_shards_on_two_accelerators() -> None:
    jobs = [
        Job("ingest", (), 1, 0, 10.0),
        Job("shards", ("ingest",), 5, 1, 30.0),
        Job("sft", ("shards",), 1, 2, 60.0),
    ]
    assert simulate(jobs, 2) == {"ingest": (0.0,), "shards": (10.0, 10.0, 40.0, 40.0, 70.0), "sft": (100.0,)}


def test_a_pod_that_is_too_large_for_now_lets_others_pass() -> None:
    jobs = [Job("first", (), 1, 1, 10.0), Job("large", (), 1, 4, 10.0), Job("small", (), 1, 1, 5.0)]
    assert simulate(jobs, 4) == {"first": (0.0,), "large": (10.0,), "small": (0.0,)}


def test_a_pod_that_never_fits_is_an_error() -> None:
    with pytest.raises(InputError, match="accelerators: sft asks for 8 a pod; expected at least as many"):
        simulate([Job("sft", (), 1, 8, 1.0)], 4)


def test_pods_that_follow_each_other_do_not_overlap() -> None:
    assert most_at_once([(0, 5, 2), (5, 9, 3), (4, 4, 9)]) == 3
    assert most_at_once([]) == 0
