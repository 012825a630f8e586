"""SIGTERM under load: readiness drops first, and every request that was accepted is answered."""

import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.raw_http import post, read_response
from tests.tools_process import ToolsProcess, tools_service

WORKERS = 6
REQUEST = post(
    "/batch", {"calls": [{"name": "calculator", "arguments": {"expression": "12 * (3 + 4)"}}] * 20}
)


@dataclass
class Load:
    """Clients that send one request after the other on kept-alive connections until nobody listens."""

    service: ToolsProcess
    answered: int = 0
    lost: list[str] = field(default_factory=list)

    def run(self) -> None:
        """One client."""
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", self.service.port), timeout=20)
            except OSError:
                return  # nobody listens any more: not accepted
            with connection:
                if not self._use(connection):
                    return

    def _use(self, connection: socket.socket) -> bool:
        """Requests on one connection until the server says it will close it; False when one was lost."""
        while True:
            try:
                connection.sendall(REQUEST)
                status, head, body = read_response(connection)
            except OSError as error:
                status, head, body = 0, b"", repr(error).encode()
            if status != 200 or body.count(b'"84"') != 20:
                self.lost.append(f"{status} {body[:80]!r}")
                return False
            self.answered += 1
            if b"connection: close" in head:
                return True


def test_no_accepted_request_is_lost_on_sigterm(tmp_path: Path) -> None:
    with tools_service(tmp_path, environment={"WHETSTONE_TOOLS_DRAIN_SECONDS": "0.6"}) as service:
        load = Load(service)
        threads = [threading.Thread(target=load.run) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        before = load.answered
        service.process.send_signal(signal.SIGTERM)
        with httpx.Client(trust_env=False) as client:
            time.sleep(0.15)
            assert client.get(f"{service.url}/readyz").status_code == 503  # still serving, no longer ready
            assert client.get(f"{service.url}/healthz").status_code == 200
        for thread in threads:
            thread.join(30)
        assert service.process.wait(30) == 0
    assert before > 0
    assert load.answered > before  # while draining, too
    assert load.lost == []


def test_a_request_in_progress_is_answered_after_the_listener_closed(tmp_path: Path) -> None:
    (tmp_path / "more_tools.py").write_text(
        'import time\n\ndef slow() -> str:\n    """Waits."""\n    time.sleep(2)\n    return "waited"\n'
    )
    environment = {"WHETSTONE_TOOLS_DRAIN_SECONDS": "0"}
    with (
        tools_service(tmp_path, "--tool", "more_tools:slow", environment=environment) as service,
        socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection,
    ):
        connection.sendall(post("/tools/slow", {"arguments": {}}))
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        status, _, body = read_response(connection)
        assert (status, b"waited" in body) == (200, True)
        assert service.process.wait(30) == 0
