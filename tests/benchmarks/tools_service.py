"""Calls a second over HTTP against the same function called in a plain loop.

The server runs on one core, the client (blocking sockets, requests made beforehand, so that it is not
what is measured) on another; the loop runs on the server's core. The arms alternate; the medians of the
rounds' ratios count. Exit code 1 when a reply is not the function's.
"""

import json
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.tools_process import tools_service
from tools_service.calculator import calculator

ROUNDS = 15
CALLS = 4096  # a round
BATCH = 256
CONNECTIONS = 8


def make_expressions(count: int) -> list[str]:
    """Arithmetic as word problems need it, seeded."""
    random_numbers = random.Random(7)
    forms = ("{} + {}", "{} * {}", "({} - {}) / 4", "{}.5 * {} + 12", "{} / {}", "({} + {}) * 3 - 7")
    return [
        random_numbers.choice(forms).format(random_numbers.randint(2, 999), random_numbers.randint(2, 99))
        for _ in range(count)
    ]


class Client:
    """Keep-alive connections on which prepared requests are sent and responses are counted."""

    def __init__(self, port: int) -> None:
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        for connection in self.sockets:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send_all(self, requests: Sequence[bytes]) -> list[bytes]:
        """One request in flight on each connection; the response bodies, in order."""
        bodies = []
        for start in range(0, min(len(requests), CONNECTIONS)):
            self.sockets[start].sendall(requests[start])
        for place in range(len(requests)):
            connection = self.sockets[place % CONNECTIONS]
            bodies.append(read_body(connection))
            if place + CONNECTIONS < len(requests):
                connection.sendall(requests[place + CONNECTIONS])
        return bodies


def read_body(connection: socket.socket) -> bytes:
    """The body of one response with a content-length."""
    data = connection.recv(1 << 18)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += connection.recv(1 << 18)
    head = data[:end].lower()
    if not head.startswith(b"http/1.1 200"):
        raise SystemExit(f"tools_service: expected a response 200, got {head[:200]!r}")  # exit code 1
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    parts, missing = [data[end + 4 :]], length - len(data) + end + 4
    while missing > 0:
        parts.append(connection.recv(1 << 18))
        missing -= len(parts[-1])
    return b"".join(parts)


def make_request(path: str, body: object) -> bytes:
    """A whole HTTP/1.1 request."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


def calls_per_second(work: Callable[[], object], calls: int) -> float:
    """How many calls a second this piece of work does."""
    start = time.perf_counter()
    work()
    return calls / (time.perf_counter() - start)


def main() -> int:
    """Prints each arm's rate, then the JSON line."""
    expressions = make_expressions(CALLS)
    calls = [
        {"id": str(i), "name": "calculator", "arguments": {"expression": e}}
        for i, e in enumerate(expressions)
    ]
    batches = [make_request("/batch", {"calls": calls[i : i + BATCH]}) for i in range(0, CALLS, BATCH)]
    singles = [
        make_request("/tools/calculator", {"arguments": call["arguments"]}) for call in calls[: CALLS // 4]
    ]
    cores = sorted(os.sched_getaffinity(0))
    rates: dict[str, list[float]] = {"loop": [], "batch": [], "single": []}
    with tempfile.TemporaryDirectory() as folder, tools_service(Path(folder)) as service:
        os.sched_setaffinity(service.process.pid, {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})
        client = Client(service.port)
        expected = [calculator(expression) for expression in expressions]
        got = [reply["content"] for body in client.send_all(batches) for reply in json.loads(body)["replies"]]
        if got != expected:
            print("tools_service: the service's replies differ from the function's", file=sys.stderr)
            return 1
        for _ in range(ROUNDS):
            os.sched_setaffinity(0, {cores[0]})  # the loop on the server's core, idle meanwhile
            rates["loop"].append(calls_per_second(lambda: [calculator(e) for e in expressions], CALLS))
            os.sched_setaffinity(0, {cores[-1]})
            rates["batch"].append(calls_per_second(lambda: client.send_all(batches), CALLS))
            rates["single"].append(calls_per_second(lambda: client.send_all(singles), len(singles)))
    arms = {name: round(statistics.median(values)) for name, values in rates.items()}
    for name, rate in arms.items():
        print(f"{name}: {rate} calls/s")
    ratios = {
        name: statistics.median(rate / loop for rate, loop in zip(rates[name], rates["loop"], strict=True))
        for name in ("batch", "single")
    }
    result = {
        "name": "tools_service",
        "ratio": round(ratios["batch"], 3),
        "single_ratio": round(ratios["single"], 4),
        "arms": {f"{name}_calls_per_second": rate for name, rate in arms.items()},
        "cores": {"server": 1, "client": 1},
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
