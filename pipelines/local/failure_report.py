"""The report of a local run that failed.

kfp.local is stopped at a task's last failure, before its exit handler: it would first work on whatever does not depend
on that task. So the stage is called from here, with what the compiled pipeline hands it.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipelines.local.processes import StopRequest, running

STAGE, TASK = "run_report", "run-report"
PAGE = f"{STAGE}.html"  # in the run's folder, after a success too


def write_failure_report(
    spec: Mapping[str, Any],
    parameters: Mapping[str, JsonValue],
    failure: str,
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    stop: StopRequest,
) -> Path | None:
    """Write the page into a run's folder; None when that failed too, which `log` then tells.

    spec: of the compiled pipeline. failure: `stage: message`.
    """
    page = folder / PAGE
    options = [*_options(spec, parameters, _status(failure)), "--report", str(page)]
    command = [sys.executable, "-m", f"components.{STAGE}", *options]
    with running(command, environment=environment, log=log) as process:
        while process.poll() is None:
            stop.sleep(0.1)
    return page if process.returncode == 0 else None


def _status(failure: str) -> str:
    """The JSON of a PipelineTaskFinalStatus, with what kfp.local leaves out: the stage and its message."""
    stage, _, message = failure.partition(": ")
    is_stage = bool(message) and stage.isidentifier()
    status = {
        "state": "FAILED",
        "pipeline_task_name": stage if is_stage else "",
        "pipeline_job_resource_name": "local-run",
        "error": {"message": message if is_stage else failure},
    }
    return json.dumps(status)


def _options(spec: Mapping[str, Any], parameters: Mapping[str, JsonValue], status: str) -> Iterator[str]:
    """The stage's inputs as options of its command."""
    declared = spec["root"]["inputDefinitions"]["parameters"]
    task = spec["root"]["dag"]["tasks"][TASK]
    known = spec["components"][task["componentRef"]["name"]]["inputDefinitions"]["parameters"]
    for name, given in task["inputs"]["parameters"].items():
        value: Any
        match given:
            case {"taskFinalStatus": _}:
                value = status
            case {"runtimeValue": {"constant": value}}:
                pass
            case {"componentInputParameter": parameter}:
                value = parameters.get(parameter, declared[parameter].get("defaultValue", ""))
        if name in known and name != "base_image":
            yield f"--{name.replace('_', '-')}={value}"
