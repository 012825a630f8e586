"""A run of before, as far as another can go on from it: its parameters, and which tasks it has finished."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from components.contracts.errors import InputError
from pipelines.local.dag import PLAN, Plan
from pipelines.local.spec import local_name
from pipelines.local.taken_over import OUTPUT
from pipelines.spec.executors import Executor, Item, Produced, Value, executors, way_to
from pipelines.spec.executors import Path as TaskPath

# Where a run keeps things, which changes nothing of what its stages make.
PLACES = ("artifact_store", "checkpoint_root")


@dataclass(frozen=True)
class Tasks:
    """The executor tasks of a run by path, with what each of them is given, and the run's parameters.

    Services that a local run starts have another address each time: in place of the tools service's stands what it
    searches, and places of storage are left out. before: of each task, those that it is made from, directly or not.
    """

    by_path: Mapping[TaskPath, Executor]
    parameters: Mapping[str, JsonValue]
    before: Mapping[TaskPath, frozenset[TaskPath]]

    @classmethod
    def of(cls, package: str, given: Mapping[str, JsonValue], corpus: str) -> "Tasks":
        """given: the run's parameters without those of services that it started. corpus: of its tools service."""
        parameters = {name: value for name, value in given.items() if name not in PLACES}
        searched = f"corpus={corpus}" if corpus else "no corpus"
        parameters.setdefault("tools_url", f"the run's own with {searched}")
        by_path = {one.path: one for one in executors(package, parameters)}
        sources = {path: _sources(one) for path, one in by_path.items()}
        return cls(by_path, parameters, {path: _reached(path, sources) for path in by_path})

    def inputs(self, path: TaskPath) -> dict[str, Any]:
        """What decides what a task makes: its declared parameters, its artifacts, what its loops go over."""
        one = self.by_path[path]
        declared = set(one.component.get("inputDefinitions", {}).get("parameters", {})) - {*PLACES}
        given = {name: value for name, value in one.parameters.items() if name in declared}
        return given | dict(one.artifacts) | {f"loop {at}": items for at, items in enumerate(one.loops, 1)}


def _sources(one: Executor) -> set[TaskPath]:
    """The tasks whose outputs it reads, or that decide whether and how often it runs."""
    asked = (value for name, value in one.given.items() if any(name in text for text in one.conditions))
    values = (*one.parameters.values(), *one.loops, *asked)
    made = [*(source for value in values for source in _made(value))]
    made += [source for several in one.artifacts.values() for source in several]
    return {source.path for source in made}


def _reached(path: TaskPath, sources: Mapping[TaskPath, set[TaskPath]]) -> frozenset[TaskPath]:
    found: set[TaskPath] = set()
    waiting = [path]
    while waiting:
        new = sources[waiting.pop()] - found
        found |= new
        waiting += new
    return frozenset(found)


def _made(value: Value) -> Iterator[Produced]:
    if isinstance(value, Item):
        yield from _made(value.items)
    elif isinstance(value, Produced):
        yield value


@dataclass(frozen=True)
class EarlierRun:
    """The folder of a run that is over, however it ended. Made by `read`."""

    folder: Path
    plan: Plan
    tasks: Tasks
    loops: Mapping[TaskPath, tuple[str, ...]]

    @classmethod
    def read(cls, folder: Path) -> "EarlierRun":
        """Raises InputError: it is no folder of a run, or one of a version that kept less."""
        folder = folder.resolve()
        try:
            plan = Plan.model_validate(json.loads((folder / PLAN).read_text(encoding="utf-8")))
            package = (folder / plan.package.name).read_text(encoding="ascii")
        except FileNotFoundError as error:
            raise InputError(
                f"{folder}: no {Path(error.filename).name}; expected the folder of a run"
            ) from error
        except (OSError, ValueError, ValidationError) as error:
            raise InputError(f"{folder / PLAN}: can't be read; expected the folder of a run") from error
        tasks = Tasks.of(package, plan.given, plan.corpus)
        return cls(folder, plan, tasks, {path: loops_around(package, path) for path in tasks.by_path})

    @property
    def outputs(self) -> Path:
        """The folder of the tasks' outputs, which kfp.local named after the time; `pipeline` where there is none."""
        return next((self.folder / "pipeline").glob("*/"), self.folder / "pipeline")

    def has_finished(self, path: TaskPath) -> bool:
        """Whether a task has succeeded, in a loop every iteration of it."""
        one = self.tasks.by_path.get(path)
        if one is None:
            return False
        try:
            counts = [self._count(items) for items in one.loops]
        except LookupError:
            return False
        names = [
            [f"{loop}-iteration-{number}" for number in range(count)]
            for loop, count in zip(self.loops[path], counts, strict=True)
        ]
        task = local_name(component_name(one))
        return all((self.outputs.joinpath(*around, task) / OUTPUT).is_file() for around in product(*names))

    def made_by(self, path: TaskPath) -> Path:
        """The folder of the run that executed a task which this one has finished: perhaps it took it over itself."""
        taken = self.plan.taken_over.get("/".join(path))
        return taken.made_by if taken else self.folder

    def _count(self, items: Value) -> int:
        """How many items a loop had. LookupError: what they come from is not there."""
        if isinstance(items, Produced):
            task = local_name(component_name(self.tasks.by_path[items.path]))
            try:
                ended = json.loads((self.outputs / task / OUTPUT).read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise LookupError(items) from error
            items = ended["parameterValues"][items.output]
        if isinstance(items, str):
            items = json.loads(items)
        if not isinstance(items, list):
            raise LookupError(items)
        return len(items)


def component_name(one: Executor) -> str:
    """Of the component that a task executes."""
    return str(one.task["componentRef"]["name"])


def loops_around(package: str, path: TaskPath) -> tuple[str, ...]:
    """The names of the loops on the way to a task, outermost first."""
    way = zip(path, way_to(package, path), strict=True)
    return tuple(name for name, task in way if "parameterIterator" in task)


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Hold a run's folder as long as the run goes on; the lock goes with the process.

    Raises:
        InputError: another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{folder}: this run goes on; expected one that is over") from error
        yield
    finally:
        os.close(descriptor)
