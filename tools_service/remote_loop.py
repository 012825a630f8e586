"""One event loop on a thread of its own, in which all connections to foreign tools live.

Sessions belong to the loop that opened them, but they are opened before the service's own loop runs, as a
server that can't be reached is to be told at the start; and what a foreign document or server does to this
loop does not hold up the service's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

Result = TypeVar("Result")


class RemoteLoop:
    """The loop; it starts with the first use and ends with `close`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._closers: list[Callable[[], Awaitable[None]]] = []

    def run_now(self, function: Callable[[], Awaitable[Result]]) -> Result:
        """Runs it in the loop and waits, from a thread that runs no loop (at the start)."""
        return self._open().call(function)

    async def run(self, function: Callable[[], Awaitable[Result]]) -> Result:
        """Runs it in the loop and awaits it from another one; a cancellation reaches it."""
        return await asyncio.wrap_future(self._open().start_task_soon(function))

    def on_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """To be awaited in the loop when it ends, last added first."""
        self._closers.append(closer)

    def close(self) -> None:
        """Ends all connections, then the loop. Blocks for some seconds when a child process hangs."""
        portal, self._portal = self._portal, None
        if portal is None:
            return
        while self._closers:
            portal.call(self._closers.pop())
        self._stack.close()

    def _open(self) -> BlockingPortal:
        if self._portal is None:
            self._portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        return self._portal
