"""The process that executes a compiled pipeline, each task in its container: `python -m tests.containers.dag PLAN.json`.

AWS_* in its environment reach the object store from this machine; what containers get is in $CONTAINER_ENVIRONMENT, so
that secrets stand in no file.
"""

import json
import os
import sys
from pathlib import Path

from kfp.local import subprocess_task_handler
from pydantic import BaseModel, ConfigDict

from pipelines.local.dag import Plan, execute
from tests.containers.engine import Engine
from tests.containers.handler import Containers, ContainerTaskHandler

ENVIRONMENT = "CONTAINER_ENVIRONMENT"


class ContainerPlan(BaseModel):
    """A local run's plan, and whose containers execute it; see `Containers`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: Plan
    run: str
    network: str
    kill: dict[str, int] = {}


def main() -> None:
    """Execute the plan.

    Raises:
        RuntimeError: a task failed; kfp.local's message names it.
    """
    given = ContainerPlan.model_validate(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    ContainerTaskHandler.containers = Containers(
        Engine(given.run, given.network),
        given.plan.folder,
        json.loads(os.environ[ENVIRONMENT]),
        given.kill,
    )
    subprocess_task_handler.SubprocessTaskHandler = ContainerTaskHandler
    execute(given.plan)


if __name__ == "__main__":
    main()
