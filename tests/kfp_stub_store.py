"""What an API server of Kubeflow Pipelines keeps, and what it answers to each request (backend/src/apiserver)."""

import email.parser
import email.policy
import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.kfp_stub_checks import (
    Fault,
    check_body,
    check_package,
    check_parameters,
    filtered,
    invalid,
    not_found,
    read_upload,
)

PAGE = 20
LONGEST_PAGE = 200
CREATED = "2026-01-02T03:04:05Z"


@dataclass
class Request:
    """A request: the ids of its path, its query, and its body."""

    ids: tuple[str, ...]
    query: Mapping[str, str]
    raw: bytes
    content_type: str

    @property
    def body(self) -> Any:
        try:
            return json.loads(self.raw)
        except ValueError as error:
            raise Fault(400, f"proto: syntax error: {error}") from error

    def uploaded(self) -> str:
        """The text of the form's `uploadfile`."""
        return bytes(self._part().get_payload(decode=True)).decode()

    def file_name(self) -> str:
        return str(self._part().get_filename())

    def _part(self) -> Any:
        head = f"Content-Type: {self.content_type}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.raw)
        for part in form.iter_parts():
            if part.get_param("name", header="Content-Disposition") == "uploadfile":
                return part
        raise Fault(400, "Failed to read pipeline from file")


class KfpStore:
    """states: what a run is in, answer by answer; the last one stays. tasks: names of tasks and the states they are in.

    runs, experiments, pipelines and versions hold what was created, as the API shows it. page: how many rows a page
    has at most.
    """

    def __init__(self, states: Sequence[str], multi_user: bool, tasks: Mapping[str, str]) -> None:
        self.states = list(states)
        self.multi_user = multi_user
        self.tasks = dict(tasks)
        self.page = LONGEST_PAGE
        self.lock = threading.Lock()
        self.runs: list[dict[str, Any]] = []
        self.experiments: list[dict[str, Any]] = []
        self.pipelines: list[dict[str, Any]] = []
        self.versions: list[dict[str, Any]] = []
        self.asked: dict[str, int] = {}

    def health(self, request: Request) -> dict[str, Any]:
        return {"commit_sha": "unknown", "tag_name": "2.17.0", "multi_user": self.multi_user}

    def list_experiments(self, request: Request) -> dict[str, Any]:
        self._check_namespace(request.query.get("namespace", ""), "An experiment")
        return self._listed("experiments", self.experiments, request)

    def create_experiment(self, request: Request) -> dict[str, Any]:
        check_body(request.body, "V2beta1Experiment")
        self._check_namespace(request.body.get("namespace", ""), "An experiment")
        name = request.body.get("display_name", "")
        if not name:
            raise invalid("Experiment name is empty. Please specify a valid experiment name")
        self._check_new(self.experiments, name, "experiment")
        made = {
            "experiment_id": _new_id(),
            "created_at": CREATED,
            "storage_state": "AVAILABLE",
            **request.body,
        }
        self.experiments.append(made)
        return made

    def get_experiment(self, request: Request) -> dict[str, Any]:
        return _found(self.experiments, "Experiment", "experiment_id", request.ids[0])

    def list_pipelines(self, request: Request) -> dict[str, Any]:
        return self._listed("pipelines", self.pipelines, request)

    def create_pipeline(self, request: Request) -> dict[str, Any]:
        check_body(request.body, "V2beta1Pipeline")
        name = request.body.get("name") or request.body.get("display_name") or ""
        if not name:
            raise invalid("name is required", "Failed to create a pipeline due to server error: ")
        return self._new_pipeline(name, request.body.get("namespace", ""))

    def get_pipeline(self, request: Request) -> dict[str, Any]:
        return _found(self.pipelines, "Pipeline", "pipeline_id", request.ids[0])

    def list_versions(self, request: Request) -> dict[str, Any]:
        rows = [one for one in self.versions if one["pipeline_id"] == request.ids[0]]
        return self._listed("pipeline_versions", rows, request)

    def get_version(self, request: Request) -> dict[str, Any]:
        return _found(self.versions, "PipelineVersion", "pipeline_version_id", request.ids[1])

    def upload(self, request: Request) -> dict[str, Any]:
        documents = read_upload(request.uploaded())
        name = request.query.get("name") or request.query.get("display_name") or request.file_name()
        made = self._new_pipeline(name, request.query.get("namespace", ""))
        self._new_version(made["pipeline_id"], name, documents)
        return made

    def upload_version(self, request: Request) -> dict[str, Any]:
        documents = read_upload(request.uploaded())
        pipeline_id = request.query.get("pipelineid", "")
        _found(self.pipelines, "Pipeline", "pipeline_id", pipeline_id)
        return self._new_version(pipeline_id, request.query.get("name") or request.file_name(), documents)

    def list_runs(self, request: Request) -> dict[str, Any]:
        experiment = request.query.get("experiment_id", "")
        if experiment:
            _found(self.experiments, "Experiment", "experiment_id", experiment)
        rows = [one for one in self.runs if experiment in ("", one["experiment_id"])]
        return self._listed("runs", rows, request)

    def create_run(self, request: Request) -> dict[str, Any]:
        check_body(request.body, "V2beta1Run")
        body = request.body
        if not body.get("display_name"):
            raise invalid(
                "The run name is empty. Please specify a valid name", "Failed to create a new run: "
            )
        _found(self.experiments, "Experiment", "experiment_id", body.get("experiment_id", ""))
        reference = body.get("pipeline_version_reference")
        if reference:
            version = _found(
                self.versions, "PipelineVersion", "pipeline_version_id", reference["pipeline_version_id"]
            )
            documents = version["pipeline_spec"]
        elif body.get("pipeline_spec"):
            documents = body["pipeline_spec"]
        else:
            raise Fault(500, "Internal Server Error", "Failed to create a run due to error fetching manifest")
        check_parameters(check_package(documents), body.get("runtime_config", {}).get("parameters", {}))
        shown = {key: value for key, value in body.items() if value is not None}
        made = {
            **shown,
            "run_id": _new_id(),
            "created_at": CREATED,
            "scheduled_at": CREATED,
            "finished_at": "1970-01-01T00:00:00Z",
            "storage_state": "AVAILABLE",
            "state": "PENDING",
        }
        self.runs.append(made)
        return made

    def get_run(self, request: Request) -> dict[str, Any]:
        run = _found(self.runs, "Run", "run_id", request.ids[0], "Failed to get a run: ")
        asked = self.asked.get(run["run_id"], 0)
        self.asked[run["run_id"]] = asked + 1
        run["state"] = self.states[min(asked, len(self.states) - 1)]
        details = [
            {"run_id": run["run_id"], "task_id": f"task-{number}", "display_name": name, "state": state}
            for number, (name, state) in enumerate(self.tasks.items())
        ]
        return {**run, **({"run_details": {"task_details": details}} if details else {})}

    def terminate_run(self, request: Request) -> dict[str, Any]:
        _found(self.runs, "Run", "run_id", request.ids[0], "Failed to terminate a run: ")
        self.states = ["CANCELING", "CANCELED"]
        self.asked.pop(request.ids[0], None)
        return {}

    def _new_pipeline(self, name: str, namespace: str) -> dict[str, Any]:
        self._check_new(self.pipelines, name, "pipeline")
        made = {"pipeline_id": _new_id(), "display_name": name, "name": name, "created_at": CREATED}
        self.pipelines.append(made | ({"namespace": namespace} if namespace else {}))
        return self.pipelines[-1]

    def _new_version(self, pipeline_id: str, name: str, documents: Mapping[str, Any]) -> dict[str, Any]:
        self._check_new(
            [one for one in self.versions if one["pipeline_id"] == pipeline_id], name, "pipeline version"
        )
        ids = {"pipeline_id": pipeline_id, "pipeline_version_id": _new_id()}
        self.versions.append(
            {**ids, "display_name": name, "name": name, "created_at": CREATED, "pipeline_spec": documents}
        )
        return self.versions[-1]

    def _check_new(self, rows: Sequence[Mapping[str, Any]], name: str, kind: str) -> None:
        if any(one["display_name"] == name for one in rows):
            message = (
                f"Failed to create a new {kind}. The name {name} already exists. Please specify a new name"
            )
            raise Fault(409, message, f"Already exist error: {message}")

    def _check_namespace(self, namespace: str, what: str) -> None:
        if self.multi_user and not namespace:
            raise invalid(f"{what} cannot have an empty namespace in multi-user mode")

    def _listed(self, name: str, rows: Sequence[dict[str, Any]], request: Request) -> dict[str, Any]:
        """One page, newest first as `created_at desc` sorts; the token is the number of rows before the next."""
        found = filtered(list(reversed(rows)), request.query.get("filter", ""))
        token = request.query.get("page_token", "")
        if token and not token.isdecimal():
            raise invalid("Invalid page token")
        size = min(int(request.query.get("page_size") or PAGE), self.page)
        start = int(token or 0)
        page = found[start : start + size]
        more = {"next_page_token": str(start + size)} if start + size < len(found) else {}
        return ({name: page} if page else {}) | ({"total_size": len(found)} if found else {}) | more


def _new_id() -> str:
    return str(uuid.uuid4())


def _found(rows: Sequence[dict[str, Any]], kind: str, key: str, wanted: str, way: str = "") -> dict[str, Any]:
    for one in rows:
        if one[key] == wanted:
            return one
    raise not_found(kind, wanted, way)


ROUTES: Sequence[tuple[str, str, Callable[[KfpStore, Request], dict[str, Any]]]] = (
    ("GET", "/healthz", KfpStore.health),
    ("GET", "/experiments", KfpStore.list_experiments),
    ("POST", "/experiments", KfpStore.create_experiment),
    ("GET", "/experiments/([^/:]+)", KfpStore.get_experiment),
    ("POST", "/pipelines/upload", KfpStore.upload),
    ("POST", "/pipelines/upload_version", KfpStore.upload_version),
    ("GET", "/pipelines", KfpStore.list_pipelines),
    ("POST", "/pipelines", KfpStore.create_pipeline),
    ("GET", "/pipelines/([^/:]+)", KfpStore.get_pipeline),
    ("GET", "/pipelines/([^/:]+)/versions", KfpStore.list_versions),
    ("GET", "/pipelines/([^/:]+)/versions/([^/:]+)", KfpStore.get_version),
    ("GET", "/runs", KfpStore.list_runs),
    ("POST", "/runs", KfpStore.create_run),
    ("GET", "/runs/([^/:]+)", KfpStore.get_run),
    ("POST", "/runs/([^/:]+):terminate", KfpStore.terminate_run),
)
