"""One process of `serve`, asked one JSON line at a time; how long it takes on a busy machine decides nothing.

It ends itself when a request takes too many of the processor's seconds. Here it is ended when it is idle for too long:
asleep, say. A process that waits for a processor or a disk is not idle, however long that is.
"""

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVE = Path(__file__).with_name("serve.py")
_CHUNK = 1 << 16
_LOOKS = 20  # at a process before it has been idle for too long
_BUSY = "RD"  # states of Linux: running or waiting for a processor, and waiting for a disk


@dataclass(frozen=True)
class CodeLimits:
    """What one request may take.

    cpu_seconds: of the processor. seconds: idle before its reply. memory_bytes: address space of the process.
    reply_characters: length of a reply. start_seconds: idle while the classes are imported.
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
    """The process gave no reply and is gone. timeout: because of a limit on the processor's time, or on idling."""

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
        """The reply to one line. seconds: how long the process may be idle.

        Raises:
            NotJsonError: JSON can't hold the request; nothing was sent.
            ProcessEndedError: it was idle for longer, or the process ended; it is dead then.
        """
        try:
            data = json.dumps(request, allow_nan=False).encode() + b"\n"
        except (ValueError, TypeError, RecursionError) as error:
            raise NotJsonError(str(error)) from None
        patience = _Patience(self._process.pid, seconds)
        try:
            self._write(data, patience)
            line = self._read_line(patience)
        except TimeoutError:
            self.kill()
            raise ProcessEndedError(f"no reply, and idle for {seconds:g} seconds", timeout=True) from None
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

    def _write(self, data: bytes, patience: "_Patience") -> None:
        view = memoryview(data)
        while view:
            patience.wait(self._requests, select.POLLOUT)
            view = view[os.write(self._requests, view[:_CHUNK]) :]

    def _read_line(self, patience: "_Patience") -> bytes:
        parts = [self._unread]
        while b"\n" not in parts[-1]:
            patience.wait(self._replies, select.POLLIN)
            chunk = os.read(self._replies, _CHUNK)
            if not chunk:
                raise EOFError
            parts.append(chunk)
        line, _, self._unread = b"".join(parts).partition(b"\n")
        return line


class _Patience:
    """Waits for a pipe for as long as the process at its other end is not idle for more than `seconds` in all."""

    def __init__(self, process: int, seconds: float) -> None:
        self._process = process
        self._step = seconds / _LOOKS
        self._left = _LOOKS

    def wait(self, descriptor: int, events: int) -> None:
        """Return when the pipe can be read or written, or is closed.

        Raises:
            TimeoutError: the process was found idle too often.
        """
        poll = select.poll()  # select.select takes no descriptor above 1023
        poll.register(descriptor, events)
        while not poll.poll(1000 * self._step):
            self._left -= not _is_busy(self._process)
            if self._left <= 0:
                raise TimeoutError


def _is_busy(process: int) -> bool:
    """Whether it runs, or would if it could; False where the system does not tell."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] in _BUSY
