"""A session with an MCP server: kept open, opened again by the first call after it was lost."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tools_service.remote_errors import LOST_CODES

log = logging.getLogger("tools_service.mcp")

OPEN_SECONDS = 30.0
MAX_RESPONSE_BYTES = 8 << 20
MAX_PAGES = 100

Transport = Callable[[], AbstractAsyncContextManager[Any]]


class ConnectionLost(Exception):
    """No session could be opened, or it broke; the message is one line."""


@dataclass
class _Session:
    """One connected client, held by the task that opened it until it is told to leave."""

    client: Client
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    lost: bool = False

    def let_go(self) -> None:
        """Ends it once it is lost and nobody waits for it any more."""
        if self.lost and self.calls == 0:
            self.leave.set()


class McpSession:
    """Calls an MCP server's tools. All coroutines belong into one event loop."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._session: _Session | None = None
        self._opening = asyncio.Lock()
        self._holders: set[asyncio.Task[None]] = set()

    async def list_tools(self) -> list[types.Tool]:
        """All pages of the server's tools. Raises ConnectionLost, MCPError."""
        session = await self._open()
        tools: list[types.Tool] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            params = types.PaginatedRequestParams(cursor=cursor)
            page = await session.client.session.list_tools(params=params)
            tools += page.tools
            cursor = page.next_cursor
            if not cursor:
                break
        return tools

    async def call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """One call's result, whatever it is; no schema of the server's is executed on it.

        Raises:
            ConnectionLost: the session broke; the next call opens another.
            MCPError: the server's own error.
        """
        session = await self._open()
        session.calls += 1
        try:
            # Not call_tool: it would check the result by the server's schema, whose patterns may never end.
            request = types.CallToolRequest(
                params=types.CallToolRequestParams(name=name, arguments=arguments)
            )
            return await session.client.session.send_request(request, types.CallToolResult)
        except MCPError as error:
            if error.code not in LOST_CODES:
                raise
            session.lost = True
            raise ConnectionLost(error.message) from None
        except Exception as error:
            session.lost = True
            raise ConnectionLost(described(error)) from None
        finally:
            session.calls -= 1
            session.let_go()

    async def close(self) -> None:
        """Ends the session, and the child process where there is one."""
        if self._session is not None:
            self._session.leave.set()
        if self._holders:
            await asyncio.wait(set(self._holders))

    async def _open(self) -> _Session:
        async with self._opening:
            if self._session is not None and not self._session.lost:
                return self._session
            ready: asyncio.Future[_Session] = asyncio.get_running_loop().create_future()
            holder = asyncio.create_task(self._hold(ready))
            self._holders.add(holder)
            holder.add_done_callback(self._holders.discard)
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    self._session = await ready
            except TimeoutError:
                raise ConnectionLost(f"no answer within {OPEN_SECONDS:g} seconds") from None
            finally:
                if not ready.done() or ready.cancelled():
                    holder.cancel()
            return self._session

    async def _hold(self, ready: asyncio.Future[_Session]) -> None:
        """Opens a session and stays with it: it has to be closed by the task that opened it."""
        session: _Session | None = None
        try:
            async with Client(self._transport(), cache=None) as client:
                session = _Session(client)
                if not ready.done():
                    ready.set_result(session)
                    await session.leave.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(ConnectionLost(described(error)))
            else:
                log.warning("session lost", extra={"reason": described(error)})
        finally:
            if session is not None:
                session.lost = True


def http_transport(url: str, token: str, seconds: float) -> Transport:
    """Streamable HTTP; the token goes only to the URL's own origin."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Any]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        timeout = httpx2.Timeout(seconds, read=max(seconds, OPEN_SECONDS))
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout, transport=_BoundedTransport()) as http,
            streamable_http_client(url, http_client=http) as streams,
        ):
            yield streams

    return connect


def command_transport(words: tuple[str, ...], environment: dict[str, str]) -> Transport:
    """A child process spoken to over its standard input and output; no shell, and little of our environment."""
    server = StdioServerParameters(command=words[0], args=list(words[1:]), env=environment)
    return lambda: stdio_client(server, errlog=sys.stderr)


def described(error: BaseException) -> str:
    """One line on an error, of a group on the first in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(str(error).split())[:200] or type(error).__name__


class _BoundedTransport(httpx2.AsyncHTTPTransport):
    """Ends responses, other than streams of events, that grow beyond MAX_RESPONSE_BYTES."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        response = await super().handle_async_request(request)
        kind = response.headers.get("content-type", "").lower()
        if not kind.startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _BoundedStream(response.stream)
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > MAX_RESPONSE_BYTES:
                raise httpx2.ReadError(f"the reply is longer than {MAX_RESPONSE_BYTES} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
