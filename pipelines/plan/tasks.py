"""The tasks of a compiled pipeline with what they wait for, loops and conditions opened."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from components.contracts.errors import InputError
from pipelines.spec.executors import function_name


@dataclass(frozen=True)
class Task:
    """One stage of the DAG. after: keys of the tasks that end before it begins. sharded: one pod a shard.

    given: its constant inputs, such as `split`.
    """

    key: str
    stage: str
    title: str
    after: tuple[str, ...]
    sharded: bool
    given: Mapping[str, Any]


def read_tasks(package_text: str) -> tuple[Task, ...]:
    """The tasks of a compiled pipeline, each behind those that it waits for.

    A loop over what a task gives is one over shards; conditions are taken to hold.

    Raises:
        InputError: a loop over fixed arms, each of which trains something else.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    spec = next(iter(yaml.load_all(package_text, Loader=loader)))
    tasks = _ordered({task.key: task for task in _walk(spec, spec["root"]["dag"], "", (), False)})
    return tuple(tasks)


def _walk(
    spec: Mapping[str, Any], dag: Mapping[str, Any], prefix: str, after: tuple[str, ...], sharded: bool
) -> Iterator[Task]:
    """The tasks of a DAG; what waits for an inner DAG waits for all of its tasks."""
    inside = {name: list(_keys(spec, task, f"{prefix}{name}")) for name, task in dag["tasks"].items()}
    for name, task in dag["tasks"].items():
        component = spec["components"][task["componentRef"]["name"]]
        waited = (*after, *(key for other in task.get("dependentTasks", ()) for key in inside[other]))
        items = task.get("parameterIterator", {}).get("items", {})
        if "raw" in items:
            raise InputError(
                f"pipeline: {spec['pipelineInfo']['name']} has arms that train different things; plan one that has "
                "none, such as self_training"
            )
        if "dag" in component:
            yield from _walk(
                spec, component["dag"], f"{prefix}{name}/", waited, sharded or "parameterIterator" in task
            )
        else:
            values = task.get("inputs", {}).get("parameters", {}).items()
            given = {key: one["runtimeValue"].get("constant") for key, one in values if "runtimeValue" in one}
            stage = function_name(
                spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
            )
            title = task.get("taskInfo", {}).get("name", name)
            yield Task(f"{prefix}{name}", stage, title, waited, sharded, given)


def _keys(spec: Mapping[str, Any], task: Mapping[str, Any], key: str) -> Iterator[str]:
    component = spec["components"][task["componentRef"]["name"]]
    if "dag" not in component:
        yield key
        return
    for name, inner in component["dag"]["tasks"].items():
        yield from _keys(spec, inner, f"{key}/{name}")


def _ordered(tasks: Mapping[str, Task]) -> Iterator[Task]:
    done: set[str] = set()

    def visit(task: Task) -> Iterator[Task]:
        if task.key in done:
            return
        done.add(task.key)
        for key in task.after:
            yield from visit(tasks[key])
        yield task

    for task in tasks.values():
        yield from visit(task)
