"""What keeps a client from hurting the service: a bound on bodies, a rate, a bearer token.

All are plain ASGI middleware: they add microseconds and never hold more than one bounded body.
"""

import hmac
import json
import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
MAX_CLIENTS = 10_000  # addresses remembered by the rate limit


class BodyLimit:
    """Answers 413 to a body beyond the limit: at once when its length is announced, else when it is passed.

    The body is taken in whole before the application sees it, so that no handler can wait on a slow
    sender; the connection's own deadline ends those.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = _header(scope["headers"], b"content-length")
        if announced and int(announced) > self.limit:
            await refuse(send, 413, f"the body is larger than {self.limit} bytes")
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.limit:
                await refuse(send, 413, f"the body is larger than {self.limit} bytes")
                return
        whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

        async def receive_whole() -> Message:
            nonlocal whole
            if whole is None:
                return await receive()
            message, whole = whole, None
            return message

        await self.app(scope, receive_whole, send)


class BearerAuth:
    """Answers 401 unless the request carries the token; health checks are open to everybody."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._expected = b"Bearer " + token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            given = _header(scope["headers"], b"authorization") or b""
            if not hmac.compare_digest(given, self._expected):
                await refuse(send, 401, "a bearer token is required", [(b"www-authenticate", b"Bearer")])
                return
        await self.app(scope, receive, send)


class RateLimit:
    """Answers 429 to a client address beyond its rate: a bucket that holds two seconds' worth."""

    def __init__(self, app: ASGIApp, requests_per_second: float) -> None:
        self.app = app
        self.rate = requests_per_second
        self.burst = max(1.0, 2 * requests_per_second)
        self._clients: dict[str, tuple[float, float]] = {}  # address -> (tokens left, when)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            client = scope.get("client")
            if not self._take(client[0] if client else ""):
                await refuse(send, 429, "too many requests", [(b"retry-after", b"1")])
                return
        await self.app(scope, receive, send)

    def _take(self, client: str) -> bool:
        now = time.monotonic()
        left, when = self._clients.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - when) * self.rate)
        allowed = left >= 1
        if len(self._clients) >= MAX_CLIENTS:  # forget whoever was quiet longest
            del self._clients[next(iter(self._clients))]
        self._clients[client] = (left - 1 if allowed else left, now)
        return allowed


async def refuse(send: Send, status: int, detail: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """A whole response with a JSON body {"detail": ...}."""
    body = json.dumps({"detail": detail}).encode()
    length = (b"content-length", str(len(body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json"), length, *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    return next((value for key, value in headers if key == name), None)
