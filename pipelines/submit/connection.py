"""Asking the API of Kubeflow Pipelines: with time limits, again after an outage, errors in one line."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from components.contracts.errors import InputError

Result = TypeVar("Result")

OUTAGES = frozenset(
    {429, 502, 503, 504}
)  # the answer of a server, or of what stands before it, that may come back
REFUSALS = frozenset({301, 302, 303, 307, 308, 401, 403})  # a redirect leads to a page where people log in
CONFLICT = 409
LONGEST_MESSAGE = 400


@dataclass(frozen=True)
class Endpoint:
    """Where the API is and who we are to it; the token is never shown.

    host: its address, http(s)://host:port. token_file: a file with the token, read anew for every request, since
    Kubernetes renews it; a token that is given goes before it.
    """

    host: str
    namespace: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""


@dataclass(frozen=True)
class Patience:
    """Seconds: of one request (to connect, to be answered), of an outage that is waited out, between attempts at first."""

    connect: float = 10.0
    answer: float = 60.0
    outage: float = 60.0
    pause: float = 1.0


PATIENCE = Patience()


class Refused(InputError):
    """The API answered, and said no; `status` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unanswered(InputError):
    """The API could not be asked, or answered that it is out of order; whether it did what was asked is unknown."""


class Connection:
    """Calls of the generated client with patience; all of them raise Refused, Unanswered or InputError."""

    def __init__(self, endpoint: Endpoint, patience: Patience | None = None) -> None:
        """Nothing is asked yet."""
        import kfp_server_api

        if not endpoint.host.startswith(("http://", "https://")):
            raise InputError(f"--host: expected http(s)://host:port, got {endpoint.host!r}")
        self.endpoint = endpoint
        self.client = kfp_server_api.ApiClient(_configuration(endpoint))
        self._patience = patience or PATIENCE
        self.confirmed = False  # whether it is the API that answers at that address

    def found_or_made(
        self, find: Callable[[], Result | None], make: Callable[[], Result], *, looked: bool = False
    ) -> Result:
        """Make a thing once, also when the answer is lost or somebody else makes it at the same time.

        looked: it is known that it isn't there yet.
        """
        attempts = _Attempts(self._patience)
        while True:
            found = None if looked else find()
            if found is not None:
                return found
            looked = False
            try:
                return make()
            except Refused as error:
                if error.status != CONFLICT or not attempts.pause():
                    raise
            except Unanswered:
                if not attempts.pause():
                    raise

    def ask(self, function: Callable[..., Any], *, first: bool = False, **given: Any) -> Any:
        """Call what changes nothing, again and again while there is no answer.

        first: nothing was heard from the host yet, so that one who can't be connected to is rather a wrong one.
        """
        attempts = _Attempts(self._patience)
        while True:
            try:
                return self.call(function, **given)
            except Unanswered as error:
                wrong_host = first and _is_connecting(error.__cause__)
                if wrong_host or not attempts.pause():
                    raise

    def call(self, function: Callable[..., Any], **given: Any) -> Any:
        """Call once, within the time limits."""
        from kfp_server_api.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        limits = (self._patience.connect, self._patience.answer)
        try:
            return function(**given, _request_timeout=limits)
        except ApiException as error:
            raise self._explained(error) from error
        except (
            AttributeError
        ) as error:  # the generated client stumbles over a failure of TLS, which has no body
            if isinstance(error.__context__, ApiException):
                raise self._explained(error.__context__) from error
            raise
        except (HTTPError, OSError) as error:
            raise Unanswered(self.not_there(type(error).__name__)) from error

    def _explained(self, error: Any) -> InputError:
        status, told = int(error.status or 0), said_by(error.body)
        if not status:  # the client's own: TLS failed, or it can't read an answer
            reason = " ".join(str(error.reason).split())[:LONGEST_MESSAGE]
            if reason.startswith("SSLError"):
                hint = "name your CA's file in SSL_CERT_FILE"
                return InputError(f"{self.endpoint.host}: its certificate is not trusted ({reason}); {hint}")
            return InputError(f"{self.endpoint.host}: an answer that is not the API's: {reason}")
        message = f"{self.endpoint.host}: the Kubeflow Pipelines API answered {status}"
        if status in REFUSALS:
            hint = "check the token (--token, KFP_EXISTING_TOKEN) and --namespace"
            return Refused(f"{message}: {hint}{f'; it said: {told}' if told else ''}", status)
        message += f": {told or error.reason}"
        if status in OUTAGES:
            return Unanswered(message)
        if status == 404 and not told:
            return InputError(self.not_there("status 404"))
        return Refused(message, status)

    def not_there(self, why: str) -> str:
        """That this is no address of the API, or that it does not answer any more, in one line."""
        if self.confirmed:
            return f"{self.endpoint.host}: the Kubeflow Pipelines API does not answer any more ({why})"
        return f"{self.endpoint.host}: no Kubeflow Pipelines API reachable there ({why}); give its address with --host"


class _Attempts:
    """Pauses that grow, until the time for an outage is over."""

    def __init__(self, patience: Patience) -> None:
        self._pause = patience.pause
        self._deadline = time.monotonic() + patience.outage

    def pause(self) -> bool:
        """Wait; False when it is no use any more."""
        if time.monotonic() + self._pause > self._deadline:
            return False
        time.sleep(self._pause)
        self._pause *= 2
        return True


def said_by(body: Any) -> str:
    """What the server says about an error, in one line: the API's own form, the upload's, or short plain text."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        answer = json.loads(text)
    except ValueError:
        told = "" if "<" in text else text  # a page for people
    else:
        told = _message(answer) if isinstance(answer, dict) else text
    return " ".join(told.split())[:LONGEST_MESSAGE]


def _message(answer: dict[str, Any]) -> str:
    details = [one for one in answer.get("details") or [] if isinstance(one, dict)]
    for told in (
        *(one.get("message") for one in details),
        answer.get("message"),
        answer.get("error_message"),
    ):
        if isinstance(told, str) and told:
            return told
    return ""


def _is_connecting(error: BaseException | None) -> bool:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    return isinstance(error, NewConnectionError | ConnectTimeoutError)


def _configuration(endpoint: Endpoint) -> Any:
    from kfp_server_api import Configuration

    configuration = Configuration(host=endpoint.host.rstrip("/"))
    configuration.retries = False  # of urllib3, which would follow redirects and know nothing of what is safe
    configuration.ssl_ca_cert = os.environ.get("SSL_CERT_FILE") or None
    if endpoint.token or endpoint.token_file:
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.api_key["authorization"] = endpoint.token or _read_token(endpoint.token_file)
    if endpoint.token_file and not endpoint.token:

        def renew(used: Any) -> None:
            used.api_key["authorization"] = _read_token(endpoint.token_file)

        configuration.refresh_api_key_hook = renew
    return configuration


def _read_token(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: no token can be read from it ({type(error).__name__}); see --token-file"
        ) from error
