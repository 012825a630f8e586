"""One process of `serve`, asked one JSON line at a time, each with a deadline."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVE = Path(__file__).with_name("serve.py")
_CHUNK = 1 << 16


@dataclass(frozen=True)
class CodeLimits:
    """What one request may take.

    cpu_seconds: of the processor. seconds: until its reply. memory_bytes: address space of the process.
    reply_characters: length of a reply. start_seconds: for importing the classes.
    """

    cpu_seconds: int = 10
    seconds: float = 30.0
    memory_bytes: int = 1 << 30
    reply_characters: int = 1 << 20
    start_seconds: float = 120.0

    def for_worker(self) -> dict[str, int]:
        """The limits that the process keeps itself."""
        return {
            "cpu_seconds": self.cpu_seconds,
            "memory_bytes": self.memory_bytes,
            "reply_characters": self.reply_characters,
        }


class ProcessEndedError(Exception):
    """The process gave no reply and is gone. timeout: because of a limit on time."""

    def __init__(self, reason: str, *, timeout: bool) -> None:
        super().__init__(reason)
        self.timeout = timeout


class NotJsonError(Exception):
    """A request with a value that JSON can't hold."""


class CodePipe:
    """One process in a session of its own, begun at once. worker: see `serve`."""

    def __init__(self, worker: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", os.fspath(SERVE), os.fspath(worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TZ") if name in os.environ},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._replies = self._process.stdout.fileno()
        os.set_blocking(self._requests, False)
        self._unread = b""

    def ask(self, request: object, seconds: float) -> Any:
        """The reply to one line.

        Raises:
            NotJsonError: JSON can't hold the request; nothing was sent.
            ProcessEndedError: no reply in `seconds`, or the process ended; it is dead then.
        """
        try:
            data = json.dumps(request, allow_nan=False).encode() + b"\n"
        except (ValueError, TypeError, RecursionError) as error:
            raise NotJsonError(str(error)) from None
        deadline = time.monotonic() + seconds
        try:
            self._write(data, deadline)
            line = self._read_line(deadline)
        except TimeoutError:
            self.kill()
            raise ProcessEndedError(f"no reply within {seconds:g} seconds", timeout=True) from None
        except (EOFError, BrokenPipeError):
            code = self._exit_code()
            self.kill()
            if code == -signal.SIGXCPU:
                raise ProcessEndedError("no reply within the processor's seconds", timeout=True) from None
            raise ProcessEndedError(f"the process ended with code {code}", timeout=False) from None
        return json.loads(line)

    def kill(self) -> None:
        """End the process with all that it began, and its pipes."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _exit_code(self) -> int:
        """How a process ended that has closed its pipes; negative: by that signal."""
        try:
            return self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def _write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _, ready, _ = select.select([], [self._requests], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            view = view[os.write(self._requests, view[:_CHUNK]) :]

    def _read_line(self, deadline: float) -> bytes:
        parts = [self._unread]
        while b"\n" not in parts[-1]:
            ready, _, _ = select.select([self._replies], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            chunk = os.read(self._replies, _CHUNK)
            if not chunk:
                raise EOFError
            parts.append(chunk)
        line, _, self._unread = b"".join(parts).partition(b"\n")
        return line
