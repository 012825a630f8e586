"""A real tools service in a process of its own, for tests and benchmarks (not a test)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
START_SECONDS = 60


@dataclass
class ToolsProcess:
    """A running service: its address, its process, the file with its log."""

    url: str
    process: "subprocess.Popen[str]"
    log: Path

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@contextmanager
def tools_service(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[ToolsProcess]:
    """Starts `python -m tools_service` on a free loopback port; waits until it is ready; ends it."""
    log = folder / f"tools-{time.monotonic_ns()}.log"
    settings = {name: value for name, value in os.environ.items() if not name.startswith("WHETSTONE_TOOLS_")}
    settings |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(environment or {})}
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tools_service", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            env=settings,
            cwd=folder,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("tools service: http"), log.read_text()
        url = line.split()[-1]
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(timeout=5, trust_env=False) as client:
            while not _is_ready(client, url):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield ToolsProcess(url, process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _is_ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
