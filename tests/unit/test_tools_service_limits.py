"""What clients can't do to the service: large bodies, slow connections, no token, too many requests."""

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.raw_http import post, read_response
from tests.tools_process import ROOT, ToolsProcess, tools_service
from tools_service.__main__ import main
from tools_service.settings import ToolsSettings

MEGABYTE = 1 << 20
TOKEN = "a-token-for-tests-only"
RECEIVE_SECONDS = 2.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    environment = {"WHETSTONE_TOOLS_RECEIVE_SECONDS": str(RECEIVE_SECONDS)}
    with tools_service(tmp_path_factory.mktemp("limits"), environment=environment) as running:
        yield running


def connect(service: ToolsProcess) -> socket.socket:
    """A connection that gives up after 30 s."""
    return socket.create_connection(("127.0.0.1", service.port), timeout=30)


def peak_memory(service: ToolsProcess) -> int:
    """The process's largest resident size so far, in bytes."""
    for line in Path(f"/proc/{service.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@pytest.mark.parametrize("announced", [True, False], ids=["content-length", "chunked"])
def test_a_300_megabyte_body_is_413_and_takes_no_memory(service: ToolsProcess, announced: bool) -> None:
    with connect(service) as connection:  # warm up
        connection.sendall(post("/batch", {"calls": []}))
        assert read_response(connection)[0] == 200
    before = peak_memory(service)
    kind = f"content-length: {300 * MEGABYTE}" if announced else "transfer-encoding: chunked"
    piece = b"x" * MEGABYTE if announced else b"100000\r\n" + b"x" * MEGABYTE + b"\r\n"
    with connect(service) as connection:
        connection.sendall(
            f"POST /batch HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{kind}\r\n\r\n".encode()
        )
        for _ in range(300):
            connection.sendall(piece)
        status, _, body = read_response(connection)
    assert status == 413
    assert b"larger than" in body
    assert peak_memory(service) - before < 10 * MEGABYTE


def test_slow_connections_are_closed_in_time_and_others_are_served(service: ToolsProcess) -> None:
    half = post("/batch", {"calls": []})[:-4]
    starts = [
        b"",
        b"P",
        half[:30],
        half,
        post("/batch", {"calls": []}) + b"\r\n",
        post("/batch", {"calls": []}) + b"GE",
    ]
    waiting = selectors.DefaultSelector()
    for number in range(400):
        connection = connect(service)
        connection.sendall(starts[number % len(starts)])
        waiting.register(connection, selectors.EVENT_READ)
    start = time.monotonic()
    with connect(service) as connection:
        connection.sendall(post("/tools/calculator", {"arguments": {"expression": "1+1"}}))
        assert read_response(connection)[0] == 200
    while waiting.get_map() and time.monotonic() - start < 20:
        for key, _ in waiting.select(timeout=1):
            open_socket = key.fileobj
            assert isinstance(open_socket, socket.socket)
            try:
                ended = not open_socket.recv(65536)
            except ConnectionResetError:
                ended = True
            if ended:
                waiting.unregister(open_socket)
                open_socket.close()
    assert not waiting.get_map(), "connections were left open"
    # idle ones after a response may live for idle_seconds, the others for receive_seconds
    assert time.monotonic() - start < 5 + RECEIVE_SECONDS + 3
    assert psutil.Process(service.process.pid).net_connections(kind="tcp4")[0].status == psutil.CONN_LISTEN


def test_the_defaults_close_within_10_seconds() -> None:
    settings = ToolsSettings.read()
    assert settings.receive_seconds < 10
    assert settings.idle_seconds < 10
    assert settings.host == "127.0.0.1"
    assert settings.faults == ""


def test_the_port_that_kubernetes_announces_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHETSTONE_TOOLS_PORT", "tcp://10.0.0.1:80")
    assert ToolsSettings.read().port == 8080
    assert ToolsSettings.read(port=0).port == 0


def test_a_client_that_does_not_read_is_closed(tmp_path: Path) -> None:
    environment = {"WHETSTONE_TOOLS_RECEIVE_SECONDS": "1", "WHETSTONE_TOOLS_MAX_BATCH": "20000"}
    with tools_service(tmp_path, environment=environment) as service, connect(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = post("/batch", {"calls": [{"name": "q"}] * 20_000})
        for _ in range(4):
            connection.sendall(request)
        deadline = time.monotonic() + 20
        process = psutil.Process(service.process.pid)
        while any(held.status == psutil.CONN_ESTABLISHED for held in process.net_connections(kind="tcp4")):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_the_token_is_needed_everywhere_but_for_health(tmp_path: Path) -> None:
    environment = {"WHETSTONE_TOOLS_TOKEN": TOKEN, "WHETSTONE_TOOLS_ENVIRONMENT": "production"}
    with (
        tools_service(tmp_path, environment=environment) as service,
        httpx.Client(base_url=service.url) as client,
    ):
        for path in ("/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        for path in ("/tools", "/metrics", "/openapi.json", "/mcp", "/nowhere"):
            for wrong in ({}, {"authorization": "Bearer nonsense"}, {"authorization": f"Basic {TOKEN}"}):
                response = client.get(path, headers=wrong)
                assert response.status_code == 401
                assert response.headers["www-authenticate"] == "Bearer"
        assert client.get("/tools", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert TOKEN not in service.log.read_text()


def test_requests_beyond_the_rate_are_429(tmp_path: Path) -> None:
    environment = {"WHETSTONE_TOOLS_REQUESTS_PER_SECOND": "5"}
    with (
        tools_service(tmp_path, environment=environment) as service,
        httpx.Client(base_url=service.url) as client,
    ):
        responses = [client.get("/tools") for _ in range(40)]
        statuses = [response.status_code for response in responses]
        assert statuses[:5] == [200] * 5
        assert 429 in statuses
        assert responses[statuses.index(429)].headers["retry-after"] == "1"
        assert client.get("/healthz").status_code == 200
        time.sleep(0.5)
        assert client.get("/tools").status_code == 200


def test_a_service_that_can_not_start_says_so_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools_service", "--corpus", "absent.jsonl"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("tools service: corpus absent.jsonl: no such file")
    assert done.stderr.count("\n") == 1


PRODUCTION = {"ENVIRONMENT": "production"}


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--corpus", "bad.jsonl"], {}, "bad.jsonl:1: text: "),
        (["--index", "."], {}, "is not an artifact"),
        (["--port", "{taken}"], {}, "can't listen on 127.0.0.1:{taken}: "),
        (["--port", "99999"], {}, "WHETSTONE_TOOLS_PORT: "),
        ([], PRODUCTION, "WHETSTONE_TOOLS_TOKEN: in production a bearer token is required"),
        ([], {**PRODUCTION, "TOKEN": "changeme"}, "well-known"),
        ([], {**PRODUCTION, "TOKEN": "short"}, "too short"),
        (["--host", "0.0.0.0"], {}, "WHETSTONE_TOOLS_TOKEN: on 0.0.0.0, which is not loopback, "),
        ([], {"TOOLS": "not json"}, "expected JSON"),
        (["--tool", "nowhere:nothing"], {}, "expected package.module:function"),
        (["--faults", '{"rates": {"boredom": 1}}'], {}, "faults: rates"),
        (["--faults", '{"rates": {"timeout": 0.7, "parse_failure": 0.7}}'], {}, "sum to at most 1"),
        (["--translator", "absent-model"], {}, "no such folder"),
        (["--retriever", "dense", "--corpus", "good.jsonl"], {}, "dense retriever needs an encoder"),
    ],
)
def test_what_can_not_be_used_is_named(
    service: ToolsProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    environment: dict[str, str],
    expected: str,
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"id": 1, "title": "a"}\n')
    (tmp_path / "good.jsonl").write_text('{"id": 1, "title": "a", "text": "b"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path / "cache"))
    for name, value in environment.items():
        monkeypatch.setenv(f"WHETSTONE_TOOLS_{name}", value)
    taken = str(service.port)
    assert main([argument.replace("{taken}", taken) for argument in arguments]) == 1
    shown = capsys.readouterr().err
    assert expected.replace("{taken}", taken) in shown
    assert shown.count("\n") == 1
    assert not list((tmp_path / "cache").rglob("manifest.json"))
