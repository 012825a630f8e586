"""What a local run reads off a compiled pipeline: its tasks as kfp.local names them, after their components."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml


def task_names(spec: Mapping[str, Any]) -> dict[str, str]:
    """kfp.local's task name (its component's) -> display name, for the tasks that run a container."""
    components = {task["componentRef"]["name"]: task["taskInfo"]["name"] for task in _tasks(spec)}
    return {
        local_name(name): shown
        for name, shown in components.items()
        if "executorLabel" in spec["components"][name]
    }


def task_retries(spec: Mapping[str, Any]) -> dict[str, int]:
    """kfp.local's task name -> how often it is tried again."""
    return {
        local_name(task["componentRef"]["name"]): task["retryPolicy"]["maxRetryCount"]
        for task in _tasks(spec)
        if "retryPolicy" in task
    }


def local_name(component: str) -> str:
    """What kfp.local calls a task, and the folder of its outputs: its component's name without the compiler's prefix."""
    return component.removeprefix("comp-")


def has_arms(spec: Mapping[str, Any]) -> bool:
    """Whether the pipeline has a loop over constants: whole arms, with their trainings, side by side."""
    return any("raw" in task.get("parameterIterator", {}).get("items", {}) for task in _tasks(spec))


def _tasks(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    dags = [spec["root"], *(part for part in spec["components"].values() if "dag" in part)]
    return [task for dag in dags for task in dag["dag"]["tasks"].values()]


def read_spec(package: Path) -> dict[str, Any]:
    """The pipeline spec of a compiled YAML."""
    with package.open(encoding="ascii") as file:
        return cast(dict[str, Any], next(iter(yaml.safe_load_all(file))))


def component_of(spec: Mapping[str, Any], path: Sequence[str]) -> str:
    """The name of a task's component, by its path in the DAG."""
    name, dag = "", spec["root"]
    for task in path:
        name = dag["dag"]["tasks"][task]["componentRef"]["name"]
        dag = spec["components"][name]
    return name
