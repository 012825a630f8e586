"""When each pod begins, on a cluster with so many accelerators: pods are simulated one by one, model time only."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.contracts.errors import InputError


@dataclass(frozen=True)
class Job:
    """A task's pods, all alike. after: keys of the jobs that end before it; devices: of each pod; wall: seconds of each."""

    key: str
    after: tuple[str, ...]
    pods: int
    devices: int
    wall: float


def simulate(jobs: Sequence[Job], devices: int | None) -> Mapping[str, tuple[float, ...]]:
    """For each job the seconds at which its pods begin, ascending.

    A pod begins as soon as its job may and its accelerators are free; of those that wait the job that comes first in
    `jobs` goes first, and one that is too large lets others pass, as Kubernetes' scheduler does. devices: of the whole
    cluster; None: always enough.

    Raises:
        InputError: a pod asks for more accelerators than there are.
    """
    for job in jobs:
        if devices is not None and job.devices > devices:
            raise InputError(
                f"accelerators: {job.key} asks for {job.devices} a pod; expected at least as many"
            )
    waiting = {job.key: job.pods for job in jobs}
    unfinished = dict(waiting)
    begins: dict[str, list[float]] = {job.key: [] for job in jobs}
    running: list[tuple[float, int]] = []  # (end, place of its job)
    now, free = 0.0, devices
    while any(unfinished.values()):
        for place, job in enumerate(jobs):
            if not waiting[job.key] or any(unfinished[key] for key in job.after):
                continue
            fitting = waiting[job.key]
            if free is not None and job.devices:
                fitting = min(fitting, free // job.devices)
                free -= fitting * job.devices
            waiting[job.key] -= fitting
            begins[job.key] += [now] * fitting
            for _ in range(fitting):
                heapq.heappush(running, (now + job.wall, place))
        now = running[0][0]
        while running and running[0][0] <= now:
            job = jobs[heapq.heappop(running)[1]]
            unfinished[job.key] -= 1
            if free is not None:
                free += job.devices
    return {key: tuple(found) for key, found in begins.items()}


def most_at_once(pods: Sequence[tuple[float, float, int]]) -> int:
    """Of (begin, end, accelerators) of pods, the most accelerators that are held at the same time."""
    changes = sorted(
        change for begin, end, count in pods if end > begin for change in ((begin, count), (end, -count))
    )
    held = most = 0
    for _, change in changes:  # at equal times those that end come first
        held += change
        most = max(most, held)
    return most
