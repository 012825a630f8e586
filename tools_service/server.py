"""uvicorn with deadlines for slow senders and readers, and a shutdown that loses no accepted request."""

import asyncio
import gc
import socket
import time
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tools_service.listener import bind, empty_queues
from tools_service.logs import configure_logging
from tools_service.observer import ServiceState
from tools_service.settings import ToolsSettings

FRESH_SECONDS = 0.5  # an idle connection may still deliver a request that was under way


def serve(app: FastAPI, settings: ToolsSettings, state: ServiceState) -> None:
    """Serves until SIGTERM or SIGINT, then drains.

    Raises:
        InputError: the address can't be bound.
    """
    listener = bind(settings.host, settings.port)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    configure_logging()
    gc.collect()
    gc.freeze()  # what is there now stays: no collection need look at it again
    gc.set_threshold(50_000, 20, 100)
    print(f"tools service: http://{shown}:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=_make_protocol(settings),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=settings.idle_seconds,
        timeout_graceful_shutdown=int(settings.shutdown_seconds) or 1,
    )
    _DrainingServer(config, state, settings.drain_seconds).run(sockets=[listener])


class _DrainingServer(uvicorn.Server):
    """The first signal drops readiness; `drain_seconds` later the listener closes. A second ends it all."""

    def __init__(self, config: uvicorn.Config, state: ServiceState, drain_seconds: float) -> None:
        super().__init__(config)
        self._state = state
        self._drain_seconds = drain_seconds
        self._closing_at = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to drain."""
        if self._state.draining:
            super().handle_exit(sig, frame)
            return
        self._state.draining = True
        self._closing_at = time.monotonic() + self._drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s: whether the main loop should end."""
        return await super().on_tick(counter) or time.monotonic() >= self._closing_at

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts what had connected, closes the listener, lets the requests in progress finish."""
        if not self.force_exit:
            await empty_queues(sockets or [])
        await super().shutdown(sockets)


class _GuardedProtocol(HttpToolsProtocol):
    """Ends connections whose request does not arrive, or whose response is not read, in time."""

    receive_seconds: float

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        self._expect_request()
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._expect_request()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._receiving, self._sending):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending = self.loop.call_later(self.receive_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        super().resume_writing()

    def shutdown(self) -> None:
        if self._is_idle():
            self.loop.call_later(FRESH_SECONDS, self._close_if_idle)
        else:
            super().shutdown()

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_request(self) -> None:
        if self._receiving is None:
            self._receiving = self.loop.call_later(self.receive_seconds, self.transport.abort)


def _make_protocol(settings: ToolsSettings) -> type[asyncio.Protocol]:
    return type("GuardedProtocol", (_GuardedProtocol,), {"receive_seconds": settings.receive_seconds})
