"""The process that executes a compiled pipeline with kfp.local: `python -m pipelines.local.dag PLAN.json`.

A process of its own, so that credentials live only in its environment, its noisy log can be read line by
line, and it can be stopped together with the stages it started.
"""

import importlib.util
import json
import shutil
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue

from pipelines.catalog import PIPELINES, Shown
from pipelines.local.failure_report import PAGE, TASK
from pipelines.local.loop_output import keep_lines_whole
from pipelines.local.spec import component_of
from pipelines.local.taken_over import executor

PLAN = "plan.json"  # in the run's folder


class TakenOver(BaseModel):
    """A task that is not executed again: the run whose folder has its outputs, and the one that executed it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outputs: Path  # `RUN/pipeline/NAME`
    made_by: Path


class Plan(BaseModel):
    """What to run: a compiled `package` of a pipeline.

    `folder` is the run's folder; its `pipeline/` gets KFP's outputs, `results/` what is shown. started: the
    parameters that name services of this run's own; corpus: what its tools service searches. taken_over: by the
    task's path in the DAG, `a/b`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline: str
    package: Path
    parameters: dict[str, JsonValue]
    folder: Path
    artifact_store: str
    started: tuple[str, ...] = ()
    corpus: str = ""
    taken_over: Mapping[str, TakenOver] = {}

    @property
    def given(self) -> dict[str, JsonValue]:
        """The parameters that were given, without those of services that the run started."""
        return {name: value for name, value in self.parameters.items() if name not in self.started}


def execute(plan: Plan) -> None:
    """Run the compiled pipeline, then bring its results from the artifact store into `results/`.

    Raises:
        RuntimeError: a task failed; kfp.local's message names it.
    """
    _hide_docker_folder()
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
    pipeline = components.load_component_from_text(as_run_here(package, plan.taken_over, root))
    pipeline(**plan.parameters)
    results = plan.folder / "results"
    collect(root, PIPELINES[plan.pipeline].shown, results, plan.artifact_store)
    shutil.copyfile(last_task(root, TASK) / "report", results / PAGE)


def _hide_docker_folder() -> None:
    """Let kfp find no docker package, where what Python finds by that name is our folder docker/ (PYTHONPATH=.)."""
    found = importlib.util.find_spec("docker")
    if found is not None and found.origin is None:
        sys.modules["docker"] = None  # type: ignore[assignment]


def as_run_here(package: str, taken_over: Mapping[str, TakenOver], root: Path) -> str:
    """The compiled pipeline as it is executed here: without a back-off, and with what is taken over.

    Retries come after a second: a pod may wait for a node, here nothing comes back. root: of all tasks' outputs.
    """
    spec, *others = list(yaml.safe_load_all(package))
    for dag in (spec["root"], *spec["components"].values()):
        for task in dag.get("dag", {}).get("tasks", {}).values():
            if "retryPolicy" in task:
                task["retryPolicy"] |= {"backoffDuration": "1s", "backoffFactor": 1.0}
    for path, taken in taken_over.items():
        label = f"taken-over-{path}"
        spec["components"][component_of(spec, path.split("/"))]["executorLabel"] = label
        spec["deploymentSpec"]["executors"][label] = executor(taken.outputs, root)
    return yaml.safe_dump_all([spec, *others], sort_keys=False)


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
