"""Submitting a compiled pipeline to Kubeflow Pipelines, and waiting for what comes of it."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import yaml
from pydantic import JsonValue

from components.contracts.errors import InputError
from pipelines.local.processes import STOP_SIGNALS, Interrupted
from pipelines.submit.api import KubeflowApi
from pipelines.submit.connection import Endpoint, Refused, Unanswered

SUCCEEDED = "SUCCEEDED"
FINAL_STATES = frozenset({SUCCEEDED, "SKIPPED", "FAILED", "CANCELED"})
OUTAGE_SECONDS = 600.0  # while a run is waited for, the API may be away for so long
NOT_FOUND = 404
GIVEN_UP = 124  # the exit code of `timeout`


@dataclass(frozen=True)
class Submission:
    """What is run: a compiled file and its parameters, and how the API is to file it.

    run_name: made from the pipeline's name and the time when empty. version: the name under which the file is uploaded
    as a version of its pipeline, which the run then belongs to; empty sends the file along with the run alone.
    """

    package: Path
    parameters: Mapping[str, JsonValue]
    experiment: str
    run_name: str = ""
    version: str = ""


class NotWaited(Exception):
    """Waiting came to an end before the run; the message says how to look at it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def submit(api: KubeflowApi, submission: Submission) -> str:
    """Create the run (and its experiment, pipeline and version where they are missing); gives its id.

    Raises:
        InputError: the API can't be reached or refuses, or has that version with other content.
        NotWaited: stopped by a signal, so that it is unknown whether the run was created.
    """
    from kfp_server_api import V2beta1PipelineVersionReference, V2beta1Run, V2beta1RuntimeConfig

    documents = read_package(submission.package)
    name = documents["pipeline_spec"]["pipelineInfo"]["name"]
    run_name = submission.run_name or f"{name} {datetime.now():%Y-%m-%d %H:%M:%S} {secrets.token_hex(2)}"
    try:
        with _interruptible():
            source: dict[str, Any] = {"pipeline_spec": documents}
            if submission.version:
                pipeline_id = api.pipeline(name)
                version = api.version(pipeline_id, submission.version, submission.package)
                _check_same(documents, version.pipeline_spec, name, submission.version)
                reference = V2beta1PipelineVersionReference(pipeline_id, version.pipeline_version_id)
                source = {"pipeline_version_reference": reference}
            body = V2beta1Run(
                experiment_id=api.experiment(submission.experiment),
                display_name=run_name,
                runtime_config=V2beta1RuntimeConfig(parameters=dict(submission.parameters)),
                **source,
            )
            return api.create_run(body)
    except Unanswered as error:
        raise InputError(f"{error}; {_may_run(api.endpoint, run_name)}") from error
    except Interrupted as stopped:
        message = f"stopped by {stopped} while submitting; {_may_run(api.endpoint, run_name)}"
        raise NotWaited(message, 128 + stopped.signal) from stopped


def wait(
    api: KubeflowApi,
    run_id: str,
    tasks: frozenset[str],
    *,
    show: Callable[[str], None],
    warn: Callable[[str], None],
    every_seconds: float,
    timeout_seconds: float,
) -> None:
    """Ask until the run is over: `show` gets what changes, a line each, `warn` what goes wrong on the way.

    tasks: the names of the pipeline's tasks, of which alone is told.

    Raises:
        InputError: the run did not succeed, or can't be asked for any more.
        NotWaited: it goes on after `timeout_seconds`, after a signal, or while the API is away.
    """
    told = dict[str, str]()
    deadline = time.monotonic() + timeout_seconds
    away_since: float | None = None
    try:
        with _interruptible():
            while True:
                try:
                    run = api.run(run_id)
                except Unanswered as error:
                    if away_since is None:
                        away_since = time.monotonic()
                        warn(f"{error}; asking again")
                    if time.monotonic() - away_since > OUTAGE_SECONDS:
                        raise NotWaited(f"{error}; {_goes_on(api.endpoint, run_id)}", GIVEN_UP) from error
                except Refused as error:
                    if error.status == NOT_FOUND:
                        raise
                    raise InputError(f"{error}; {_goes_on(api.endpoint, run_id)}") from error
                else:
                    away_since = None
                    for line in _changes(run, tasks, told):
                        show(line)
                    if run.state in FINAL_STATES:
                        return _check_succeeded(api.endpoint, run, tasks)
                left = deadline - time.monotonic()
                if left <= 0:
                    state = told.get("", "unknown")
                    why = f"run {run_id}: still {state} after {timeout_seconds:.0f} seconds"
                    raise NotWaited(f"{why}; {_goes_on(api.endpoint, run_id)}", GIVEN_UP)
                time.sleep(min(every_seconds, left))
    except Interrupted as stopped:
        message = f"stopped waiting by {stopped}; {_goes_on(api.endpoint, run_id)}"
        raise NotWaited(message, 128 + stopped.signal) from stopped


def run_link(endpoint: Endpoint, run_id: str) -> str:
    """The run's page: at the UI that KF_PIPELINES_UI_ENDPOINT names, else where the API is."""
    base = os.environ.get("KF_PIPELINES_UI_ENDPOINT") or endpoint.host
    return f"{base.rstrip('/')}/#/runs/details/{run_id}"


def read_package(package: Path) -> dict[str, Any]:
    """A compiled file as the API takes it: the pipeline, and what it asks of Kubernetes."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same ten times as fast, where it was built
    spec, *platform = yaml.load_all(package.read_text(encoding="utf-8"), Loader=loader)
    return {"pipeline_spec": spec, **({"platform_spec": platform[0]} if platform else {})}


def task_names(package: Path) -> frozenset[str]:
    """The names of all tasks of a compiled file that are containers, of every DAG in it."""
    spec = read_package(package)["pipeline_spec"]
    components = spec["components"]
    dags = [spec["root"]["dag"], *(one["dag"] for one in components.values() if "dag" in one)]
    return frozenset(
        name
        for dag in dags
        for name, task in dag["tasks"].items()
        if "dag" not in components[task["componentRef"]["name"]]
    )


def _changes(run: Any, tasks: frozenset[str], told: dict[str, str]) -> Iterator[str]:
    """The run's new state and those of its tasks; `told` remembers. A task in a loop appears once for every item."""
    state = str(run.state or "PENDING")
    if told.get("") != state:
        told[""] = state
        yield state
    details = run.run_details.task_details if run.run_details else None
    for one in details or []:
        task_state = str(one.state or "PENDING")
        if one.display_name in tasks and task_state != "PENDING" and told.get(one.task_id) != task_state:
            told[one.task_id] = task_state
            yield f"{one.display_name} {task_state}"


def _check_succeeded(endpoint: Endpoint, run: Any, tasks: frozenset[str]) -> None:
    if run.state == SUCCEEDED:
        return
    details = (run.run_details.task_details if run.run_details else None) or []
    failed = dict.fromkeys(
        name
        for one in details
        if one.state == "FAILED" and (name := str(one.display_name).removesuffix("-driver")) in tasks
    )
    where = f" in {', '.join(failed)}" if failed else ""
    raise InputError(
        f"run {run.run_id}: {run.state}{where}; its logs and report: {run_link(endpoint, run.run_id)}"
    )


def _goes_on(endpoint: Endpoint, run_id: str) -> str:
    look = f"{run_link(endpoint, run_id)} or {_kfp(endpoint)} run get {run_id}"
    return f"run {run_id} goes on; look at it: {look}"


def _may_run(endpoint: Endpoint, run_name: str) -> str:
    return f"look whether {run_name!r} runs: {_kfp(endpoint)} run list"


def _kfp(endpoint: Endpoint) -> str:
    namespace = f" --namespace {endpoint.namespace}" if endpoint.namespace else ""
    return f"kfp --endpoint {endpoint.host}{namespace}"


def _check_same(ours: Mapping[str, Any], theirs: Any, name: str, version: str) -> None:
    """Whether a version of that name that is there already is this file.

    Raises:
        InputError: it is another.
    """
    if _messages(ours) != _messages(theirs):
        raise InputError(
            f"--version {version}: pipeline {name} has a version of that name with other content; choose another name"
        )


def _messages(documents: Any) -> tuple[Any, Any]:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    given = documents if "pipeline_spec" in documents else {"pipeline_spec": documents}
    spec, platform = pipeline_spec_pb2.PipelineSpec(), pipeline_spec_pb2.PlatformSpec()
    json_format.ParseDict(given["pipeline_spec"], spec)
    json_format.ParseDict(given.get("platform_spec", {}), platform)
    return spec, platform


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP raise Interrupted at once, in the middle of a request too."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    heard = [number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
