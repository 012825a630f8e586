"""A loopback server that speaks the Kubeflow Pipelines v2beta1 API as far as submitting needs, and refuses what it refuses.

Paths, bodies, paging, errors and their texts are those of the API server (backend/src/apiserver of kubeflow/pipelines);
it runs nothing: what becomes of a run is told beforehand.
"""

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kfp_stub_checks import Fault
from tests.kfp_stub_store import ROUTES, KfpStore, Request

API = "/apis/v2beta1"


@dataclass
class Trouble:
    """What goes wrong with requests whose "METHOD path" begins so, the first `times` of them.

    status: what is answered instead; 0 drops the connection. done: the request was carried out nevertheless.
    seconds: before the answer. body: plain text, as a proxy would answer. headers: further ones.
    """

    request: str
    status: int = 503
    times: int = 1
    done: bool = False
    seconds: float = 0.0
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class KfpStub(KfpStore, ThreadingHTTPServer):
    """The store behind a port of 127.0.0.1. requests: every "METHOD path" with its Authorization header."""

    daemon_threads = True

    def __init__(
        self,
        states: Sequence[str],
        token: str,
        port: int,
        multi_user: bool,
        tasks: Mapping[str, str],
        troubles: Sequence[Trouble],
    ) -> None:
        KfpStore.__init__(self, states, multi_user, tasks)
        ThreadingHTTPServer.__init__(self, ("127.0.0.1", port), _Handler)
        self.token = token
        self.troubles = list(troubles)
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: KfpStub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _serve(self, raw: bytes) -> None:
        url = urlsplit(self.path)
        authorization = self.headers.get("Authorization", "")
        self.server.requests.append((f"{self.command} {url.path}", authorization))
        trouble = self._trouble(f"{self.command} {url.path}")
        if trouble and not trouble.done:
            return self._go_wrong(trouble)
        expected = f"Bearer {self.server.token}"
        try:
            if self.server.token and authorization != expected:
                message = "Request header error: there is no user identity header."
                raise Fault(401, message, f"Unauthenticated: {message}")
            status, answer = 200, self._routed(url.path, dict(_query(url.query)), raw)
        except Fault as fault:
            status, answer = fault.status, fault.answer()
            if url.path.startswith(f"{API}/pipelines/upload"):
                answer = {"error_message": fault.external, "error_details": fault.external}
        if trouble:
            return self._go_wrong(trouble)
        self._answer(status, json.dumps(answer), "application/json")

    def _routed(self, path: str, query: Mapping[str, str], raw: bytes) -> dict[str, Any]:
        for method, pattern, function in ROUTES:
            matched = re.fullmatch(API + pattern, path)
            if matched and method == self.command:
                request = Request(matched.groups(), query, raw, self.headers.get("Content-Type", ""))
                with self.server.lock:
                    return function(self.server, request)
        raise Fault(404, "Not Found")

    def _trouble(self, request: str) -> Trouble | None:
        with self.server.lock:
            for one in self.server.troubles:
                if one.times > 0 and request.startswith(one.request.replace(" /", f" {API}/")):
                    one.times -= 1
                    return one
        return None

    def _go_wrong(self, trouble: Trouble) -> None:
        time.sleep(trouble.seconds)
        if trouble.status == 0:
            self.close_connection = True
            self.connection.close()
            return
        self._answer(trouble.status, trouble.body, "text/plain", trouble.headers)

    def _answer(
        self, status: int, text: str, content_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        body = text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the client did not wait
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def handle(self) -> None:
        with suppress(OSError, ValueError):  # a connection that was closed in the middle, by either side
            super().handle()


def _query(text: str) -> Iterator[tuple[str, str]]:
    for name, values in parse_qs(text, keep_blank_values=True).items():
        yield name, values[-1]


@contextmanager
def kfp_stub(
    states: Sequence[str] = ("SUCCEEDED",),
    token: str = "",
    *,
    port: int = 0,
    multi_user: bool = False,
    tasks: Mapping[str, str] | None = None,
    troubles: Sequence[Trouble] = (),
) -> Iterator[KfpStub]:
    """A server on 127.0.0.1 until the block ends; port 0 takes any."""
    server = KfpStub(states, token, port, multi_user, tasks or {}, troubles)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
