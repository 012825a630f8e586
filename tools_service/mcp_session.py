"""A session with an MCP server: kept open, opened again by the first call after it was lost."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from tools_service.mcp_transports import OPEN_SECONDS, Transport
from tools_service.remote_errors import LOST_CODES
from tools_service.remote_sources import hide_token

log = logging.getLogger("tools_service.mcp")

MAX_PAGES = 100


class ConnectionLost(Exception):
    """No session could be opened, or it broke; the message is one line."""


class NotListed(Exception):
    """A server does not tell what tools it has; the message is one line."""


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
    """Calls an MCP server's tools. All coroutines belong into one event loop.

    token: what the log must not hold.
    """

    def __init__(self, transport: Transport, token: str = "") -> None:
        self._transport = transport
        self._token = token
        self._session: _Session | None = None
        self._opening = asyncio.Lock()
        self._holders: set[asyncio.Task[None]] = set()

    async def list_tools(self) -> list[types.Tool]:
        """All pages of the server's tools.

        Raises:
            ConnectionLost: no session could be opened, or it broke.
            MCPError: the server's own error.
            NotListed: not within OPEN_SECONDS, more than MAX_PAGES pages, or one that leads back.
        """
        session = await self._open()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                return await _all_pages(session.client)
        except TimeoutError:
            raise NotListed(f"its tools were not listed within {OPEN_SECONDS:g} seconds") from None

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
            raise ConnectionLost(described(error, self._token)) from None
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
                ready.set_exception(ConnectionLost(described(error, self._token)))
            else:
                log.warning("session lost", extra={"reason": described(error, self._token)})
        finally:
            if session is not None:
                session.lost = True


async def _all_pages(client: Client) -> list[types.Tool]:
    tools: list[types.Tool] = []
    seen: set[str] = set()
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            return tools
        if cursor in seen:
            raise NotListed("a page of its list of tools leads back to an earlier one")
        seen.add(cursor)
    raise NotListed(f"its list of tools has more than {MAX_PAGES} pages")


def described(error: BaseException, token: str = "") -> str:
    """One line on an error, of a group on the first in it, without the token."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(hide_token(str(error), token).split())[:200] or type(error).__name__
