"""`whetstone run ... --from STAGE`: which tasks run again, and which are taken over from an earlier run.

What descends from STAGE runs again, and what is never cached. All else is taken over where the earlier run has
finished it with the same inputs. What STAGE is made from must be there like that; what lies beside it is executed
where it is not.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.nearest import nearest
from pipelines.local.dag import PLAN, TakenOver
from pipelines.local.earlier_run import EarlierRun, Tasks, at_work, component_name
from pipelines.spec.executors import Path as TaskPath
from pipelines.spec.executors import way_to


@dataclass(frozen=True)
class NewRun:
    """What is about to run: the pipeline, its YAML, and its tasks with their inputs. store: artifact_store, if given."""

    pipeline: str
    package: str
    tasks: Tasks
    store: str = ""

    @classmethod
    def of(cls, pipeline: str, package: str, given: Mapping[str, JsonValue], corpus: str) -> "NewRun":
        """given: its parameters before services are started. corpus: of the tools service to come."""
        return cls(
            pipeline, package, Tasks.of(package, given, corpus), str(given.get("artifact_store") or "")
        )

    def title(self, path: TaskPath) -> str:
        """What people call a task."""
        return str(self.tasks.by_path[path].task["taskInfo"]["name"])

    def word(self, path: TaskPath) -> str:
        """What `--from` takes for a task: its stage, or its title where the stage has several tasks."""
        stage = self.tasks.by_path[path].stage
        alone = [one.stage for one in self.tasks.by_path.values()].count(stage) == 1
        return stage if alone else f'"{self.title(path)}"'

    def begin(self, stage: str) -> set[TaskPath]:
        """The tasks of a stage, by its name or by one task's title.

        Raises:
            InputError: the pipeline has none; the nearest is offered.
        """
        tasks = self.tasks.by_path
        found = {path for path, one in tasks.items() if stage in (one.stage, self.title(path))}
        if not found:
            known = sorted({one.stage for one in tasks.values()})
            titles = sorted({self.title(path) for path in tasks})
            raise InputError(
                f"--from: {self.pipeline} has no stage {stage!r}{nearest(stage, [*known, *titles])}; "
                f"known: {', '.join(known)}, or what a task is called, such as {titles[0]!r}"
            )
        return found

    def before(self, paths: Iterable[TaskPath]) -> set[TaskPath]:
        """The tasks that any of these is made from, directly or not."""
        return {source for path in paths for source in self.tasks.before[path]}

    def after(self, paths: set[TaskPath]) -> set[TaskPath]:
        """These, and the tasks made from any of them."""
        return paths | {path for path, sources in self.tasks.before.items() if sources & paths}

    def waiting_for(self, paths: set[TaskPath]) -> set[TaskPath]:
        """These, and all that begins only when one of them has ended."""
        found, size = set(paths), 0
        while len(found) > size:
            size = len(found)
            found |= {path for path in self.tasks.by_path if self._waits(path, found)}
        return found

    def _waits(self, path: TaskPath, others: set[TaskPath]) -> bool:
        awaited = [
            (*path[:depth], name)
            for depth, task in enumerate(way_to(self.package, path))
            for name in task.get("dependentTasks", ())
        ]
        return any(other[: len(one)] == one for one in awaited for other in others)


def taken_over(
    new: NewRun, stage: str, runs: Path, earlier: Path | None
) -> tuple[EarlierRun, dict[str, TakenOver]]:
    """The run to go on from, and what to take over, by the task's path `a/b`.

    earlier: its folder; None takes the newest run in `runs` that has all that comes before the stage.

    Raises:
        InputError: no such stage, no such run, or the run lacks something or had it from other parameters.
    """
    new.begin(stage)
    if earlier is not None:
        found = EarlierRun.read(earlier)
        with at_work(found.folder):
            return found, decide(new, stage, found)
    reason = InputError(
        f"--from {stage}: {runs} has no run of {new.pipeline} that is over; expected --of FOLDER, or no --from"
    )
    for index, candidate in enumerate(_over(runs, new.pipeline)):
        try:
            return candidate, decide(new, stage, candidate)
        except InputError as error:
            reason = error if index == 0 else reason
    raise reason


def _over(runs: Path, pipeline: str) -> Iterator[EarlierRun]:
    """The runs of a pipeline that are over, newest first."""
    for plan in sorted(runs.glob(f"*/{PLAN}"), reverse=True):
        if plan.parent.is_symlink():
            continue
        try:
            with at_work(plan.parent):
                found = EarlierRun.read(plan.parent)
        except InputError:
            continue
        if found.plan.pipeline == pipeline:
            yield found


def decide(new: NewRun, stage: str, earlier: EarlierRun) -> dict[str, TakenOver]:
    """What to take over from a run, and where from: from the run itself, or from those that it went on from.

    Raises:
        InputError: what comes before the stage is not finished there, or was made from other parameters.
    """
    _check_same_place(new, stage, earlier)
    chosen = new.begin(stage)
    again = new.waiting_for(new.after(chosen))
    first = {path for path in chosen if not new.before([path]) & chosen}
    needed = new.before(first)
    runs = _went_on_from(earlier)
    taken: dict[TaskPath, TakenOver] = {}
    for path in _in_order(new):
        if path in again:
            continue
        if not new.tasks.by_path[path].cached:
            again = new.after(again | {path})
            continue
        found = next((run for run in runs if _offers(run, path, new, taken)), None)
        if found:
            taken[path] = TakenOver(outputs=found.outputs, made_by=found.made_by(path))
        elif path in needed:
            raise InputError(f"--from {stage}: {_why_not(new, path, earlier)}")
        else:
            again = new.after(again | {path})
    return {"/".join(path): one for path, one in taken.items()}


def _check_same_place(new: NewRun, stage: str, earlier: EarlierRun) -> None:
    """Artifacts are manifests, whose files stay in the store: it must be the same, or the run's own."""
    if earlier.plan.pipeline != new.pipeline:
        raise InputError(
            f"--of: {earlier.folder} is a run of {earlier.plan.pipeline}, expected one of {new.pipeline}"
        )
    before = str(earlier.plan.given.get("artifact_store") or "")
    if before != new.store:
        wanted = f"artifact_store={before}" if before else "no artifact_store"
        raise InputError(
            f"--from {stage}: {earlier.folder} has its artifacts elsewhere; expected {wanted}, as it had"
        )


def _went_on_from(earlier: EarlierRun) -> list[EarlierRun]:
    """The run, and then those whose tasks it was to take over, as far as they are still there."""
    runs = [earlier]
    places = {taken.outputs.parent.parent: None for taken in earlier.plan.taken_over.values()}
    for folder in places:
        try:
            runs.append(EarlierRun.read(folder))
        except InputError:
            continue
    return runs


def _offers(run: EarlierRun, path: TaskPath, new: NewRun, taken: Mapping[TaskPath, TakenOver]) -> bool:
    """Whether a run has finished a task as it would be executed now: same inputs, made by the same executions."""
    if not run.has_finished(path) or run.tasks.inputs(path) != new.tasks.inputs(path):
        return False
    if component_name(run.tasks.by_path[path]) != component_name(new.tasks.by_path[path]):
        return False  # its folder has another name there
    sources = new.before([path])
    return all(source in taken and taken[source].made_by == run.made_by(source) for source in sources)


def _in_order(new: NewRun) -> list[TaskPath]:
    """All tasks, each after those that it is made from."""
    return sorted(new.tasks.by_path, key=lambda path: len(new.before([path])))


def _why_not(new: NewRun, path: TaskPath, earlier: EarlierRun) -> str:
    """Why a task that the stage needs can't be taken over, and what to do."""
    title, word = new.title(path), new.word(path)
    if not earlier.has_finished(path):
        return f"{earlier.folder} has not finished {title}, which comes before it; expected --from {word}"
    old = earlier.tasks.inputs(path)
    inputs = new.tasks.inputs(path)
    differs = sorted(name for name in {*old, *inputs} if old.get(name) != inputs.get(name))
    if not differs:
        return (
            f"{earlier.folder} has {title} from other runs than what it was made from; expected --from {word}"
        )
    name, was, now = _named(new, earlier, old.get(differs[0]), inputs.get(differs[0]), differs[0])
    return (
        f"{name} is {_short(now)}, but it was {_short(was)} in {earlier.folder}, where {title} read it; "
        f"expected the same, or --from {word}"
    )


def _named(new: NewRun, earlier: EarlierRun, was: Any, now: Any, name: str) -> tuple[str, Any, Any]:
    """The parameter of the run that an input of a task comes from, down to the setting that differs."""
    for parameter in {**new.tasks.parameters, **earlier.tasks.parameters}:
        values = (earlier.tasks.parameters.get(parameter), new.tasks.parameters.get(parameter))
        if values[0] != values[1] and now == values[1]:
            name = parameter
    if not name.endswith("settings") or not (isinstance(was, str) and isinstance(now, str)):
        return name, was, now
    stage = name.removesuffix("_settings")
    old, fresh = (dict(_settings(json.loads(text), stage)) for text in (was, now))
    setting = next(key for key in {**fresh, **old} if old.get(key) != fresh.get(key))
    return setting, old.get(setting), fresh.get(setting)


def _settings(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """`stage.setting.inner` and the values of nested settings; one that holds nothing is a value too."""
    if not isinstance(value, dict) or not value:
        yield name, value
        return
    for key, inner in value.items():
        yield from _settings(inner, f"{name}.{key}")


def _short(value: Any) -> str:
    text = "absent" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:60]}..."
