"""How a run ended, read from what KFP says of the stages' last state."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from components.contracts.errors import InputError

State = Literal["succeeded", "failed", "canceled", "unknown"]

# kfp.local says SUCCEEDED, a cluster COMPLETE.
_STATES: Mapping[str, State] = {
    "SUCCEEDED": "succeeded",
    "COMPLETE": "succeeded",
    "CACHED": "succeeded",
    "FAILED": "failed",
    "ERROR": "failed",
    "CANCELED": "canceled",
    "CANCELING": "canceled",
}
_LOCAL = "local-"  # how kfp.local's names of runs begin
_GROUP = "exit-handler"  # all stages together, which is no stage's name


@dataclass(frozen=True)
class Outcome:
    """state: as people say it; said: as KFP did.

    task, message: of the stage that failed, as far as KFP tells: a cluster's backend 2.17 tells neither.
    workflow: the run's workflow on the cluster; empty for a run here.
    """

    state: State
    said: str
    task: str = ""
    message: str = ""
    workflow: str = ""


def read_outcome(status: Any) -> Outcome:
    """The outcome in a `kfp.dsl.PipelineTaskFinalStatus`, or in the JSON of one.

    The JSON holds `state` and perhaps `pipeline_task_name`, `pipeline_job_resource_name` and `error` with a `message`.

    Raises:
        InputError: a text that is no such JSON.
    """
    if isinstance(status, str):
        told = _read_json(status)
        message = (told.get("error") or {}).get("message")
    else:
        told, message = vars(status), status.error_message
    said = str(told.get("state") or "")
    task = str(told.get("pipeline_task_name") or "")
    job = str(told.get("pipeline_job_resource_name") or "")
    if task.startswith(_GROUP):
        task = message = ""  # kfp.local's message of the group says nothing more
    return Outcome(
        _STATES.get(said, "unknown"),
        said,
        task=task,
        message=str(message or ""),
        workflow="" if job.startswith(_LOCAL) else job,
    )


def _read_json(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError as error:
        raise InputError(f"status: not JSON: {error}") from error
    if not isinstance(told, dict) or not isinstance(told.get("error") or {}, dict):
        raise InputError("status: expected a JSON object, with an object as its error if there is one")
    return told
