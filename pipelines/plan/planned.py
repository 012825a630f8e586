"""The plan: every task with its cost, when it would begin and end, and what all of them come to."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.contracts.methods import is_on
from components.ingest.settings import IngestSettings
from pipelines.compile import package_path
from pipelines.plan.cost import ACROSS, Cost
from pipelines.plan.generation import judgement, practice, search
from pipelines.plan.request import Request
from pipelines.plan.simulation import Job, most_at_once, simulate
from pipelines.plan.tasks import Task, read_tasks
from pipelines.plan.training import fine_tuning, pairs_tuned, preference_tuning, reinforcement

RECORD_SECONDS = (
    0.001  # of a processor for a trace that is read, labeled or compared; the demo's error labeling
)
PROCESSOR_START = 30.0  # seconds from a pod's creation to its first work, without accelerator; an assumption


@dataclass(frozen=True)
class PlannedTask:
    """A task on its pods. wall: seconds from a pod's creation to its end; begins: of each pod, after the run's begin.

    devices: accelerators of each pod, 0 for a stage without.
    """

    task: Task
    cost: Cost
    pods: int
    devices: int
    wall: float
    begins: tuple[float, ...] = ()

    @property
    def begin(self) -> float:
        """When its first pod begins."""
        return self.begins[0]

    @property
    def end(self) -> float:
        """When its last pod ends."""
        return self.begins[-1] + self.wall

    @property
    def passed(self) -> float:
        """Seconds from its first pod's begin to its last one's end."""
        return self.end - self.begin

    @property
    def held(self) -> float:
        """Seconds that accelerators are held for, over all pods: start, model and work."""
        return self.wall * self.pods * self.devices


@dataclass(frozen=True)
class Plan:
    """The tasks in the order in which they can run."""

    request: Request
    tasks: tuple[PlannedTask, ...]

    @property
    def wall(self) -> float:
        """Seconds of the run."""
        return max(one.end for one in self.tasks)

    @property
    def held(self) -> float:
        """Accelerator seconds."""
        return sum(one.held for one in self.tasks)

    @property
    def most_devices(self) -> int:
        """Accelerators that are held at the same time at most."""
        return most_at_once(
            [(begin, begin + one.wall, one.devices) for one in self.tasks for begin in one.begins]
        )


def make_plan(request: Request) -> Plan:
    """The plan of a request.

    Raises:
        InputError: the pipeline can't be planned, or a stage's settings can't be.
    """
    arguments = request.arguments
    with tempfile.TemporaryDirectory() as folder:
        path = package_path(
            arguments.pipeline, arguments.rounds, Path(folder), without=arguments.without, also=arguments.also
        )
        return scheduled(request, read_tasks(path.read_text(encoding="ascii")))


def scheduled(request: Request, tasks: Sequence[Task]) -> Plan:
    """The plan of tasks, each behind those that it waits for; a pod starts as soon as its accelerators are free.

    Raises:
        InputError: a pod asks for more accelerators than the cluster has.
    """
    planned = [_planned(request, task) for task in tasks]
    jobs = [Job(one.task.key, one.task.after, one.pods, one.devices, one.wall) for one in planned]
    begins = simulate(jobs, request.accelerators)
    return Plan(request, tuple(replace(one, begins=begins[one.task.key]) for one in planned))


def _planned(request: Request, task: Task) -> PlannedTask:
    cost = _COSTS.get(task.stage, _light)(request, task)
    accelerated, device = cost.accelerated, request.device
    if not is_on(task.stage, request.method):
        cost = Cost(accelerated=accelerated)  # it hands its adapter on, on the accelerators that it asked for
    pods = request.settings(IngestSettings).shards if task.sharded else 1
    devices = request.devices(task.stage) if accelerated else 0
    if not accelerated:
        return PlannedTask(task, cost, pods, 0, _start(request) + cost.processor / pods)
    share = 1.0
    if cost.split and devices > 1:
        share = 1 / (devices * ACROSS)
    wall = device.start_seconds + cost.base / device.load + cost.seconds / pods * share
    return PlannedTask(task, cost, pods, devices, wall)


def _start(request: Request) -> float:
    return min(PROCESSOR_START, request.device.start_seconds)


def _light(request: Request, task: Task) -> Cost:
    """Of a stage without model: what it reads and writes, by the records that it goes through."""
    seen = request.measured
    known = request.labeled
    asked = request.questions + request.held_out + request.validation + request.searched
    records, fetched, stored = {
        "ingest": (
            asked + request.trajectories,
            0.0,
            asked * seen.question_bytes + request.trajectories * seen.trace_bytes,
        ),
        "error_labeling": (known, known * seen.trace_bytes, known * seen.trace_bytes),
        "preferences": (known, known * seen.trace_bytes, pairs_tuned(request) * seen.pair_bytes),
        "rounds": (2 * request.validation, 2 * request.validation * seen.trace_bytes, 0.0),
        "promotion": (3 * request.held_out, (3 * request.held_out + known) * seen.trace_bytes, 0.0),
    }.get(task.stage, (0.0, 0.0, 0.0))
    return Cost(processor=records * RECORD_SECONDS, disk=fetched + stored, fetched=fetched, stored=stored)


_COSTS: Mapping[str, Callable[[Request, Task], Cost]] = {
    "trace_generation": practice,
    "evaluation": judgement,
    "mcts": search,
    "sft": fine_tuning,
    "dpo": preference_tuning,
    "ppo": reinforcement,
}
