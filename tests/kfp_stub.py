"""A loopback server that speaks as much of the Kubeflow Pipelines v2beta1 API as submitting a run needs."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

API = "/apis/v2beta1"


class KfpStub(ThreadingHTTPServer):
    """`states`: what one run is in, answer by answer; the last one stays. `runs`: bodies that were posted."""

    def __init__(self, states: Sequence[str], token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.states = list(states)
        self.token = token
        self.runs: list[dict[str, Any]] = []
        self.experiments: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: KfpStub

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not self._is_allowed():
            return
        if path == f"{API}/healthz":
            self._answer({"multi_user": False})
        elif path == f"{API}/experiments":
            self._answer({"experiments": self.server.experiments, "total_size": len(self.server.experiments)})
        elif path.startswith(f"{API}/experiments/"):
            self._answer(self.server.experiments[0])
        elif path == f"{API}/runs/run-1" and self.server.runs:
            states = self.server.states
            state = states.pop(0) if len(states) > 1 else states[0]
            error = {"error": {"code": 2, "message": "task sft failed"}} if state == "FAILED" else {}
            self._answer({"run_id": "run-1", "display_name": "stub", "state": state, **error})
        else:
            self._answer({"error": "not found"}, status=404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_allowed():
            return
        if self.path.startswith(f"{API}/experiments"):
            self.server.experiments.append({"experiment_id": "experiment-1", **body})
            self._answer(self.server.experiments[-1])
        elif self.path.startswith(f"{API}/runs"):
            self.server.runs.append(body)
            self._answer({"run_id": "run-1", "experiment_id": "experiment-1", **body, "state": "PENDING"})
        else:
            self._answer({"error": "not found"}, status=404)

    def _is_allowed(self) -> bool:
        expected = f"Bearer {self.server.token}"
        if self.server.token and self.headers.get("Authorization") != expected:
            self._answer({"error": "no"}, status=401)
            return False
        return True

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def kfp_stub(states: Sequence[str], token: str = "") -> Iterator[KfpStub]:
    server = KfpStub(states, token)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
