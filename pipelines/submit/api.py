"""What submitting asks of the Kubeflow Pipelines v2beta1 API: experiments, pipelines, versions and runs, each made once."""

import json
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from pipelines.submit.connection import Connection, Endpoint, Patience


class KubeflowApi:
    """The generated client of the API, called with patience. Every method raises Refused or Unanswered."""

    def __init__(self, endpoint: Endpoint, patience: Patience | None = None) -> None:
        """Look whether a Kubeflow Pipelines API is there and takes the token."""
        import kfp_server_api

        self.endpoint = endpoint
        self._connection = Connection(endpoint, patience)
        self._experiments = kfp_server_api.ExperimentServiceApi(self._connection.client)
        self._pipelines = kfp_server_api.PipelineServiceApi(self._connection.client)
        self._uploads = kfp_server_api.PipelineUploadServiceApi(self._connection.client)
        self._runs = kfp_server_api.RunServiceApi(self._connection.client)
        self._namespace: dict[str, Any] = {"namespace": endpoint.namespace} if endpoint.namespace else {}
        health = self._connection.ask(
            kfp_server_api.HealthzServiceApi(self._connection.client).healthz_service_get_healthz, first=True
        )
        if getattr(health, "multi_user", None) is None:
            raise InputError(self._connection.not_there("something else answers"))
        self._connection.confirmed = True
        if health.multi_user and not endpoint.namespace:
            raise InputError(
                f"{endpoint.host}: has many users; name the namespace of your profile with --namespace"
            )

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, which is created unless it is there."""
        from kfp_server_api import V2beta1Experiment

        def find() -> str | None:
            listed = self._connection.ask(
                self._experiments.experiment_service_list_experiments,
                filter=_named(name),
                **self._namespace,
            )
            return listed.experiments[0].experiment_id if listed.experiments else None

        def make() -> str:
            body = V2beta1Experiment(display_name=name, **self._namespace)
            made = self._connection.call(
                self._experiments.experiment_service_create_experiment, experiment=body
            )
            return str(made.experiment_id)

        return self._connection.found_or_made(find, make)

    def pipeline(self, name: str) -> str:
        """The id of the pipeline of that name, which is created, without versions, unless it is there."""
        from kfp_server_api import V2beta1Pipeline

        def find() -> str | None:
            listed = self._connection.ask(
                self._pipelines.pipeline_service_list_pipelines, filter=_named(name), **self._namespace
            )
            return listed.pipelines[0].pipeline_id if listed.pipelines else None

        def make() -> str:
            body = V2beta1Pipeline(name=name, display_name=name, **self._namespace)
            made = self._connection.call(self._pipelines.pipeline_service_create_pipeline, pipeline=body)
            return str(made.pipeline_id)

        return self._connection.found_or_made(find, make)

    def version(self, pipeline_id: str, name: str, package: Path) -> Any:
        """The version of that name of a pipeline (V2beta1PipelineVersion), uploaded unless it is there."""

        def find() -> Any:
            listed = self._connection.ask(
                self._pipelines.pipeline_service_list_pipeline_versions,
                pipeline_id=pipeline_id,
                filter=_named(name),
            )
            return listed.pipeline_versions[0] if listed.pipeline_versions else None

        def make() -> Any:
            asked = {"uploadfile": str(package), "name": name, "pipelineid": pipeline_id}
            return self._connection.call(self._uploads.upload_pipeline_version, **asked)

        return self._connection.found_or_made(find, make)

    def create_run(self, body: Any) -> str:
        """Create a run (V2beta1Run) and give its id.

        When no answer comes, it is looked for before it is asked for again, so that it never runs twice.
        """
        before = self.runs_named(body.experiment_id, body.display_name)

        def find() -> str | None:
            new = self.runs_named(body.experiment_id, body.display_name) - before
            return next(iter(new), None)

        def make() -> str:
            return str(self._connection.call(self._runs.run_service_create_run, run=body).run_id)

        return self._connection.found_or_made(find, make, looked=True)

    def runs_named(self, experiment_id: str, name: str) -> frozenset[str]:
        """The ids of all runs of an experiment that have that name."""
        found, token = set[str](), ""
        while True:
            page = self._connection.ask(
                self._runs.run_service_list_runs,
                experiment_id=experiment_id,
                page_token=token,
                page_size=100,
                filter=_named(name),
            )
            found |= {run.run_id for run in page.runs or []}
            token = page.next_page_token or ""
            if not token:
                return frozenset(found)

    def run(self, run_id: str) -> Any:
        """A run as the API knows it (V2beta1Run); asked for once."""
        return self._connection.call(self._runs.run_service_get_run, run_id=run_id)


def _named(name: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})
