"""Do the tools service and, where one is named, the model server answer, and take the token?"""

import os

import httpx

from components.contracts.errors import InputError
from components.preflight.checks import Skipped
from components.rollout.tools_client import ToolsClient

SECONDS = 4.0  # for one request


def look_at_tools(url: str) -> str:
    """The tools on offer; also those the service lacks, with its reasons.

    Raises:
        InputError: nothing answers there, not ready, the token is refused, or it offers no tool.
    """
    if not url.strip():
        raise InputError("tools_url: empty, expected the tools service's address, http(s)://host:port")
    _check_ready(url.rstrip("/"))
    with ToolsClient(url, timeout=SECONDS, attempts=1) as client:
        names = [str(tool["function"]["name"]) for tool in client.list_tools()]
        missing = [f"{name} not offered: {reason}" for name, reason in client.unavailable.items()]
    if not names:
        raise InputError(f"tools_url: {url} offers no tool; {'; '.join(missing) or 'check its settings'}")
    return "; ".join([", ".join(names), *missing])


def look_at_engine(url: str) -> str:
    """The models that an OpenAI-compatible server names.

    Raises:
        InputError: nothing answers there, or the key is refused.
        Skipped: the server answers but does not list its models.
    """
    key = os.environ.get("OPENAI_API_KEY", "")
    response = _get(
        f"{url.rstrip('/')}/models", "engine.url", {"Authorization": f"Bearer {key}"} if key else {}
    )
    if response.status_code in (401, 403):
        raise InputError(
            f"engine.url: {url} refused the key (HTTP {response.status_code}); set OPENAI_API_KEY"
        )
    try:
        return ", ".join(str(model["id"]) for model in response.raise_for_status().json()["data"])
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
        raise Skipped(f"{url} answers HTTP {response.status_code} but lists no models") from error


def _check_ready(url: str) -> None:
    response = _get(f"{url}/readyz", "tools_url", {})
    if response.status_code in (404, 405):
        raise InputError(f"tools_url: {url} is no tools service (HTTP {response.status_code} for /readyz)")
    if response.status_code in (401, 403):
        return  # a proxy that guards everything; /tools will tell
    if not response.is_success:
        raise InputError(
            f"tools_url: {url} is not ready (HTTP {response.status_code} for /readyz); wait, then retry"
        )


def _get(url: str, parameter: str, headers: dict[str, str]) -> httpx.Response:
    try:
        return httpx.get(url, headers=headers, timeout=SECONDS, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(
            f"{parameter}: nothing answers at {url} ({type(error).__name__}); is it started?"
        ) from error
