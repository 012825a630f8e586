"""What tests read off compiled pipelines. Not a test."""

import functools
from typing import Any

import yaml

from pipelines.compile import compiled_path

Tasks = dict[str, dict[str, Any]]


def spec_of(pipeline: str) -> dict[str, Any]:
    """The pipeline spec of a committed YAML."""
    return documents_of(pipeline)[0]


@functools.cache
def documents_of(pipeline: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pipeline spec and platform spec of a committed YAML, not to be changed."""
    spec, platform = yaml.safe_load_all(compiled_path(pipeline).read_text(encoding="ascii"))
    return spec, platform


def stage_tasks(spec: dict[str, Any]) -> Tasks:
    """The tasks inside the exit handler, by name: all but the run's report, and none of those inside loops."""
    (group,) = (task for name, task in spec["root"]["dag"]["tasks"].items() if name != "run-report")
    tasks: Tasks = spec["components"][group["componentRef"]["name"]]["dag"]["tasks"]
    return tasks
