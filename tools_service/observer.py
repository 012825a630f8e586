"""Watches every request: counts, times and logs it, and tells clients to leave when shutdown has begun."""

import logging
from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools_service.metrics import Metrics

log = logging.getLogger("tools_service.access")


@dataclass
class ServiceState:
    """What the server tells the application while it runs."""

    draining: bool = False


class Observer:
    """Counts, times and logs each request; tells clients to leave while the service is shutting down."""

    def __init__(self, app: ASGIApp, metrics: Metrics, state: ServiceState) -> None:
        self.app = app
        self.metrics = metrics
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = perf_counter()
        status = 0

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self.state.draining:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        with self.metrics.in_progress.track_inprogress():
            try:
                await self.app(scope, receive, send_observed)
            finally:
                seconds = perf_counter() - start
                route = getattr(scope.get("route"), "path", "other")
                self.metrics.count_request(route, status, seconds)
                log.info(
                    "request",
                    extra={
                        "method": scope["method"],
                        "path": scope["path"][:200],
                        "status": status,
                        "seconds": round(seconds, 6),
                    },
                )
