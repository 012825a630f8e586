"""Submitting a compiled pipeline to a Kubeflow Pipelines API, and waiting for what comes of it."""

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import JsonValue

from components.contracts.errors import InputError

FINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED", "ERROR"})
TOKEN_HINT = "check the token (--token, KFP_EXISTING_TOKEN)"


@dataclass(frozen=True)
class Endpoint:
    """Where the API is and who we are to it. The token is never shown."""

    host: str
    namespace: str = ""
    token: str = ""


@dataclass(frozen=True)
class Submitted:
    """A run as the API knows it; `state` is KFP's, `message` its first error if any."""

    run_id: str
    state: str = "PENDING"
    message: str = ""


class KubeflowRuns:
    """The few calls of the KFP client that are needed, with errors a person can read."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises InputError when the endpoint can't be reached or refuses the token."""
        from kfp.client import Client

        self._endpoint = endpoint
        _look(endpoint)
        with _readable_errors(endpoint.host):
            self._client: Any = Client(
                host=endpoint.host,
                namespace=endpoint.namespace or "kubeflow",
                existing_token=endpoint.token or None,
            )

    def submit(
        self, package: Path, parameters: Mapping[str, JsonValue], *, experiment: str, run_name: str
    ) -> Submitted:
        """Create a run of a compiled YAML."""
        with _readable_errors(self._endpoint.host):
            result = self._client.create_run_from_pipeline_package(
                str(package),
                arguments=dict(parameters),
                run_name=run_name or None,
                experiment_name=experiment,
                namespace=self._endpoint.namespace or None,
            )
        return Submitted(str(result.run_id))

    def state(self, run_id: str) -> Submitted:
        """Ask once how a run is doing."""
        with _readable_errors(self._endpoint.host):
            run = self._client.get_run(run_id)
        error = getattr(run, "error", None)
        return Submitted(run_id, str(run.state or "PENDING"), str(getattr(error, "message", "") or ""))

    def wait(
        self, run_id: str, *, on_state: Callable[[str], None], every_seconds: float, timeout_seconds: float
    ) -> Submitted:
        """Ask until the run is over; `on_state` gets each new state.

        Raises:
            InputError: the run is not over after `timeout_seconds`.
        """
        deadline = time.monotonic() + timeout_seconds
        last = ""
        while True:
            submitted = self.state(run_id)
            if submitted.state != last:
                last = submitted.state
                on_state(last)
            if submitted.state in FINAL_STATES:
                return submitted
            if time.monotonic() > deadline:
                raise InputError(
                    f"run {run_id}: still {last} after {timeout_seconds:.0f} seconds; it goes on running"
                )
            time.sleep(every_seconds)


def _look(endpoint: Endpoint) -> None:
    """Ask for the API's health once: the client itself asks for 25 seconds and logs each traceback."""
    headers = {"Authorization": f"Bearer {endpoint.token}"} if endpoint.token else {}
    try:
        url = f"{endpoint.host.rstrip('/')}/apis/v2beta1/healthz"
        answer = httpx.get(url, headers=headers, timeout=30.0)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(_unreachable(endpoint.host, error)) from error
    if answer.is_redirect or answer.status_code in (401, 403):
        raise InputError(
            f"{endpoint.host}: the Kubeflow Pipelines API answered {answer.status_code}: {TOKEN_HINT}"
        )
    if answer.status_code != 200:
        raise InputError(_unreachable(endpoint.host, f"status {answer.status_code}"))


def _unreachable(host: str, why: object) -> str:
    said = type(why).__name__ if isinstance(why, Exception) else why
    return f"{host}: no Kubeflow Pipelines API reachable there ({said}); give its address with --host"


@contextlib.contextmanager
def _readable_errors(host: str) -> Iterator[None]:
    """Turn what the client raises into one line, and keep what it prints off the terminal."""
    from kfp_server_api.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ApiException as error:
        reason = TOKEN_HINT if error.status in (401, 403) else str(error.reason)
        raise InputError(f"{host}: the Kubeflow Pipelines API answered {error.status}: {reason}") from error
    except (HTTPError, OSError) as error:
        raise InputError(_unreachable(host, error)) from error
