"""The process that executes a compiled pipeline with kfp.local: `python -m pipelines.local_dag PLAN.json`.

A process of its own, so that credentials live only in its environment, its noisy log can be read line by
line, and it can be stopped together with the stages it started.
"""

import json
import shutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue

from pipelines.catalog import PIPELINES, Shown
from pipelines.loop_output import keep_lines_whole


class Plan(BaseModel):
    """What to run: a compiled `package` of a pipeline.

    `folder` is the run's folder; its `pipeline/` gets KFP's outputs, `results/` what is shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline: str
    package: Path
    parameters: dict[str, JsonValue]
    folder: Path
    artifact_store: str


def execute(plan: Plan) -> None:
    """Run the compiled pipeline, then bring its results from the artifact store into `results/`.

    Raises:
        RuntimeError: a task failed; kfp.local's message names it.
    """
    from kfp import components, local

    keep_lines_whole()
    # An image that is not called "python" is fine here, and what a pod would get has no effect.
    warnings.filterwarnings("ignore", module=r"kfp\.local")
    root = plan.folder / "pipeline"
    # kfp.local deletes its workspace after every run, so it must get one of its own.
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(root),
        workspace_root=str(plan.folder / "workspace"),
        enable_caching=False,
    )
    package = plan.package.read_text(encoding="ascii")
    pipeline = components.load_component_from_text(without_backoff(package))
    pipeline(**plan.parameters)
    collect(root, PIPELINES[plan.pipeline].shown, plan.folder / "results", plan.artifact_store)


def without_backoff(package: str) -> str:
    """The compiled pipeline with retries after a second: a pod may wait for a node, here nothing comes back."""
    documents = list(yaml.safe_load_all(package))
    spec = documents[0]
    for dag in (spec["root"], *spec["components"].values()):
        for task in dag.get("dag", {}).get("tasks", {}).values():
            if "retryPolicy" in task:
                task["retryPolicy"] |= {"backoffDuration": "1s", "backoffFactor": 1.0}
    return yaml.safe_dump_all(documents, sort_keys=False)


def collect(root: Path, shown: Sequence[Shown], results: Path, artifact_store: str) -> None:
    """Copy summary.json, report.html and the adapter out of the artifacts of the one run below `root`."""
    from components.storage import open_input

    results.mkdir()
    there = {(one.folder, one.schema): one for one in shown if any(root.glob(f"*/{one.task}"))}
    for one in there.values():
        folder = last_task(root, one.task) / one.output
        if not one.schema:
            (results / one.folder).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder, results / one.folder / f"{one.output}.html")
            continue
        artifact = open_input(folder, one.schema, artifact_store)
        for file in artifact.manifest.files:
            destination = results / one.folder / file.path
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(artifact.path(file.path), destination)


def last_task(root: Path, task: str) -> Path:
    """The folder of a task's outputs below the one run in `root`; of `rounds`, `rounds-2` ... the last one's.

    Raises:
        LookupError: no task has that name.
    """
    found: dict[int, Path] = {}
    for folder in root.glob(f"*/{task}*"):
        number = folder.name.removeprefix(task).removeprefix("-")
        if folder.name == task or number.isdecimal():
            found[int(number or 1)] = folder
    if not found:
        raise LookupError(f"{root}: no task {task!r}")
    return found[max(found)]


if __name__ == "__main__":
    execute(Plan.model_validate(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
