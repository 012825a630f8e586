"""Child processes that are always gone in the end: each in its own group, stopped by its id."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 8.0


class Interrupted(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM or SIGHUP; `signal` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


class StopRequest:
    """Whether a stop was asked for. Signals only set it, so that no cleanup is ever cut in two."""

    def __init__(self) -> None:
        self._signal = 0
        self._event = threading.Event()

    def set(self, number: int, frame: FrameType | None = None) -> None:
        """The signal handler: remember the first signal; a second Ctrl-C changes nothing."""
        self._signal = self._signal or number
        self._event.set()

    def check(self) -> None:
        """Raise Interrupted when a stop was asked for."""
        if self._event.is_set():
            raise Interrupted(self._signal)

    def sleep(self, seconds: float) -> None:
        """Wait, but raise Interrupted as soon as a stop is asked for."""
        self._event.wait(seconds)
        self.check()


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGHUP into a StopRequest until the block ends.

    One that is ignored (SIGHUP under nohup) stays ignored.
    """
    request = StopRequest()
    heard = [number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, request.set) for number in heard}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def running(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path | None, folder: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own; when the block ends, the whole group is gone.

    log: where stdout and stderr go; None gives a pipe on `.stdout`, one line at a time.
    """
    output = log.open("ab") if log else None
    try:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            bufsize=1,
            start_new_session=True,
        )
    finally:
        if output:
            output.close()
    try:
        yield process
    finally:
        stop_group(process)
        if process.stdout:
            process.stdout.close()


def stop_group(process: subprocess.Popen[str], grace_seconds: float = GRACE_SECONDS) -> None:
    """SIGTERM to the process's group, SIGKILL to what is left after `grace_seconds`, and reap it."""
    _signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline:
        process.poll()  # reaps the leader, which else keeps its group alive as a zombie
        if not _signal_group(process.pid, 0):
            break
        time.sleep(0.05)
    else:
        _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a group; False when no process is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
