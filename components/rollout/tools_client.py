"""The tools service as the loop sees it: a list of tools, and batches of calls that always come back."""

import json
import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from components.contracts.errors import InputError
from components.contracts.records import ToolCall, ToolReply
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema, parse_tools

TOKEN_VARIABLE = "WHETSTONE_TOOLS_TOKEN"
_BUSY = frozenset({408, 425, 429, 502, 503, 504})
_REFUSED = frozenset({400, 413, 422})
_CRASHED = 500


class ToolsClient:
    """A client of one tools service.

    The token is sent as bearer; without one given, the environment's WHETSTONE_TOOLS_TOKEN is used.
    Safe to use from one thread.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        attempts: int = 5,
        back_off: float = 0.25,
        batch: int = 256,
    ) -> None:
        """timeout: seconds a request. back_off: seconds before the first retry, doubled each time."""
        self.url = url.rstrip("/")
        self._token = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
        self._attempts = attempts
        self._back_off = back_off
        self._batch = batch
        self._tools: tuple[ToolSchema, ...] | None = None
        self._unavailable: dict[str, str] = {}
        self._content: dict[str, str] = {}
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._http = httpx.Client(headers=headers, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def unavailable(self) -> dict[str, str]:
        """Tools the service knows but can't offer, with the reason; filled by `list_tools`."""
        return dict(self._unavailable)

    @property
    def content(self) -> dict[str, str]:
        """Which data tools reply from, as far as the service says so; filled by `list_tools`."""
        return dict(self._content)

    def list_tools(self) -> tuple[ToolSchema, ...]:
        """The tools on offer, asked for once.

        Raises:
            InputError: no service at the URL, a wrong token, or something else that answers there.
        """
        if self._tools is None:
            self._tools = self._ask_for_tools()
        return self._tools

    def call_batch(self, calls: Sequence[ToolCall]) -> list[ToolReply]:
        """Execute `calls` concurrently; replies in the same order, `call_id` = the call's id.

        Never raises for what the service or the network does: such calls come back as
        `tool_instability`. Arguments the service refuses to read come back as `wrong_type_or_value`.
        """
        replies: list[ToolReply] = []
        for start in range(0, len(calls), self._batch):
            replies.extend(self._call(calls[start : start + self._batch]))
        return replies

    def _ask_for_tools(self) -> tuple[ToolSchema, ...]:
        try:
            response = self._send("GET", "/tools")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InputError(
                f"tools_url: no tools service answers at {self.url} ({type(error).__name__}); "
                "start one with `python -m tools_service --port PORT --corpus FILE` and give its address"
            ) from error
        if response.status_code in (401, 403):
            raise InputError(
                f"tools_url: {self.url} refused the token (HTTP {response.status_code}); "
                f"set {TOKEN_VARIABLE} to the service's token"
            )
        try:
            body = response.raise_for_status().json()
            tools = parse_tools(json.dumps(body["tools"]))
            self._unavailable = {str(name): str(why) for name, why in body.get("unavailable", {}).items()}
            self._content = {str(name): str(what) for name, what in body.get("content", {}).items()}
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"tools_url: {self.url}/tools is not a tools service's list of tools "
                f"(HTTP {response.status_code}); expected the address of `python -m tools_service`"
            ) from error
        return tools

    def _call(self, calls: Sequence[ToolCall]) -> list[ToolReply]:
        if not calls:
            return []
        wire = [
            {"id": str(index), "name": call.name, "arguments": call.arguments}
            for index, call in enumerate(calls)
        ]
        try:
            response = self._send("POST", "/batch", {"calls": wire})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return [_lost(call, type(error).__name__) for call in calls]
        if response.status_code in _REFUSED or response.status_code == _CRASHED:
            # One call must not take the others of its batch down with it.
            if len(calls) > 1:
                half = len(calls) // 2
                return self._call(calls[:half]) + self._call(calls[half:])
            if response.status_code in _REFUSED:
                return [_not_accepted(calls[0])]
        if response.status_code != 200:
            return [_lost(call, f"HTTP {response.status_code}") for call in calls]
        return _match(calls, response)

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        for attempt in range(self._attempts):
            last = attempt + 1 == self._attempts
            pause = self._back_off * 2**attempt
            try:
                response = self._http.request(method, self.url + path, content=content, headers=headers)
            except httpx.TransportError:
                if last:
                    raise
            else:
                if last or response.status_code not in _BUSY:
                    return response
                pause = max(pause, _retry_after(response))
            time.sleep(min(pause, 10.0))
        raise AssertionError("unreachable: the last attempt returns or raises")


def _match(calls: Sequence[ToolCall], response: httpx.Response) -> list[ToolReply]:
    """Replies in the order of the calls; a call whose reply is absent or unreadable is lost."""
    try:
        items = response.json()["replies"]
        by_id = {item["call_id"]: item for item in items}
    except (ValueError, KeyError, TypeError):
        by_id = {}
    return [_read_reply(call, by_id.get(str(index))) for index, call in enumerate(calls)]


def _read_reply(call: ToolCall, item: dict[str, Any] | None) -> ToolReply:
    try:
        if item is None:
            raise KeyError("replies")
        error = item["error"] and ToolError(item["error"]["code"])
        return ToolReply(
            content=item["content"], error=error or None, seconds=item["seconds"], call_id=call.id
        )
    except (ValueError, KeyError, TypeError):
        return _lost(call, "unreadable reply")


def _lost(call: ToolCall, reason: str) -> ToolReply:
    return ToolReply(
        content=f"Error: the tool could not be reached ({reason}).",
        error=ToolError.TOOL_INSTABILITY,
        call_id=call.id,
    )


def _not_accepted(call: ToolCall) -> ToolReply:
    return ToolReply(
        content=f"Error: {call.name} can't take these arguments.",
        error=ToolError.WRONG_TYPE_OR_VALUE,
        call_id=call.id,
    )


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
