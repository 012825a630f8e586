"""The operations of an OpenAPI document as tools: called over HTTP, with typed errors.

Calls go only where the user said: to the base that was named, else to the server that the document names, if
the document is a file, or comes from there itself. Credentials need one of the two addresses to be named.
"""

import json
from collections.abc import Mapping
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from tools_service.failures import ToolFailure
from tools_service.foreign_schemas import short_text
from tools_service.openapi_document import open_document
from tools_service.openapi_operations import Operation, read_operations
from tools_service.openapi_request import make_request
from tools_service.registry import Registry
from tools_service.remote_errors import error_of_status
from tools_service.remote_loop import RemoteLoop
from tools_service.remote_sources import RemoteSource, hide_token, parse_base, same_origin
from tools_service.schema_tools import make_schema_tool

MAX_REPLY_BYTES = 64 << 10
MAX_MESSAGE = 500  # characters of what a failed request's reply said
MAX_REDIRECTS = 5


def add_document(registry: Registry, loop: RemoteLoop, source: RemoteSource, seconds: float) -> None:
    """Adds a tool for each operation of a document that can be offered, and the reasons for the others.

    seconds: how long one call may take.

    Raises:
        InputError: the document can't be used, offers nothing, or a name is taken.
    """
    document, place = open_document(source)
    base = _base(source, document, place)
    server = OperationServer(loop, base, source.token, seconds)
    offered = 0
    reason = "it has no operations"
    for name, operation in read_operations(
        document, source.methods, prefix=source.prefix, own_servers=source.base is not None
    ):
        if isinstance(operation, Operation):
            function = partial(server.call, operation)
            tool = make_schema_tool(name, operation.description, operation.schema, function)
            try:
                registry.add_tool(tool)
            except InputError as error:
                raise InputError(f"{source.shown}: {error}; a prefix=... tells tools apart") from None
            offered += 1
        elif name not in registry.tools:
            registry.leave_out(name, operation)
            reason = f"{name}: {operation}"
    if not offered:
        raise InputError(f"{source.shown}: offers no tool: {reason}")


class OperationServer:
    """Sends the requests of one document's operations."""

    def __init__(self, loop: RemoteLoop, base: httpx.URL, token: str, seconds: float) -> None:
        self._loop = loop
        self._base = base
        self._token = token
        self._seconds = seconds
        self._client: httpx.AsyncClient | None = None

    async def call(self, operation: Operation, /, **arguments: JsonValue) -> str:
        """The reply's text, cut after MAX_REPLY_BYTES.

        Raises:
            ToolFailure: a value that can't be sent, a status of failure, no connection, no reply in time.
        """
        return await self._loop.run(partial(self._call, operation, arguments))

    async def _call(self, operation: Operation, arguments: Mapping[str, JsonValue]) -> str:
        parts = make_request(self._base, operation, arguments)
        client = self._open()
        request = client.build_request(
            operation.method, parts.url, headers=parts.headers, content=parts.content
        )
        try:
            for _ in range(MAX_REDIRECTS + 1):
                response = await client.send(request, stream=True)
                try:
                    following = response.next_request
                    if following is None:
                        return await self._read(operation.name, response)
                finally:
                    await response.aclose()
                if not same_origin(request.url, following.url):
                    raise ToolFailure(
                        ToolError.TOOL_INSTABILITY,
                        f"{operation.name}: the server refers to another host, which is not asked",
                    )
                request = following
        except httpx.TimeoutException:
            raise ToolFailure(
                ToolError.TIMEOUT, f"{operation.name} gave no answer within {self._seconds:g} seconds"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            reason = "can't be reached" if isinstance(error, httpx.ConnectError) else "broke the connection"
            raise ToolFailure(ToolError.TOOL_INSTABILITY, f"{operation.name}: the server {reason}") from None
        raise ToolFailure(
            ToolError.TOOL_INSTABILITY, f"{operation.name}: the server refers to itself too often"
        )

    async def _read(self, name: str, response: httpx.Response) -> str:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ToolFailure(ToolError.TOOL_INSTABILITY, f"{name}: the reply is compressed, unasked")
        data = bytearray()
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > MAX_REPLY_BYTES + len(self._token):
                break
        code = error_of_status(response.status_code)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        # A server may repeat its requests; hidden first and cut then, so that no half of the token is left.
        text = hide_token(_decoded(bytes(data), response.charset_encoding), self._token)
        text = text.encode("utf-8", "replace")[:MAX_REPLY_BYTES].decode("utf-8", "ignore")
        if code is not None:
            said = _message(text) if _is_text(kind) else ""
            raise ToolFailure(code, f"HTTP {response.status_code}{said and f': {said}'}")
        if data and not _is_text(kind):
            shown = hide_token(kind, self._token.lower())[:100]
            raise ToolFailure(ToolError.TOOL_CALL_FAILURE, f"{name} replied with {shown}, which is no text")
        if len(data) > MAX_REPLY_BYTES:
            text += f" ... (cut: the reply is longer than {MAX_REPLY_BYTES} bytes)"
        return text or f"done (HTTP {response.status_code})"

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            headers = {"accept": "application/json, text/*;q=0.9, */*;q=0.1", "accept-encoding": "identity"}
            headers |= {"user-agent": "whetstone-tools"}
            if self._token:
                headers["authorization"] = f"Bearer {self._token}"
            self._client = httpx.AsyncClient(headers=headers, timeout=self._seconds, trust_env=False)
            self._client.cookies.jar.set_policy(
                DefaultCookiePolicy(allowed_domains=[])
            )  # calls know nothing of each other
            self._loop.on_close(self._client.aclose)
        return self._client


def _base(source: RemoteSource, document: dict[str, Any], place: httpx.URL | None) -> httpx.URL:
    """Where the operations are called."""
    if source.base is not None:
        return source.base
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    text = first.get("url") if isinstance(first, dict) else None
    text = text if isinstance(text, str) else "/"
    variables = first.get("variables") if isinstance(first, dict) else None
    for name, variable in (variables if isinstance(variables, dict) else {}).items():
        if isinstance(variable, dict):
            text = text.replace(f"{{{name}}}", str(variable.get("default", ""))[:200])
    try:
        url = place.join(text) if place is not None else httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise InputError(f"{source.shown}: servers: not a URL; expected one, or base=URL") from None
    if place is None and not url.host:
        raise InputError(f"{source.shown}: names no server; expected base=URL in front of it")
    url = parse_base(str(url), f"{source.shown}: servers")
    shown = str(url.copy_with(query=None, fragment=None))[:200]
    if place is not None and not same_origin(place, url):
        raise InputError(f"{source.shown}: its server is on another host; if that is meant: base={shown}")
    if place is None and source.token:
        raise InputError(f"{source.shown}: a token needs its server named, too; if it is meant: base={shown}")
    return url


def _is_text(kind: str) -> bool:
    words = ("json", "xml", "yaml", "javascript", "csv", "x-www-form-urlencoded", "ndjson")
    return not kind or kind.startswith("text/") or kind.endswith(words)


def _decoded(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _message(text: str) -> str:
    """What a failed request's reply says; of JSON the field that usually holds it."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = text
    for name in ("error", "detail", "message", "title"):
        if isinstance(said, dict) and name in said:
            said = said[name]
    line = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return short_text(line)[:MAX_MESSAGE]
