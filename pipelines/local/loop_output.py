"""Whole log lines out of kfp.local while it works on several iterations of a loop at once.

kfp.local gives each iteration a thread. All of them share one set of log handlers, which a thread that
finishes takes away from the others, and print their stages' lines in pieces, indented ever deeper. Here
every line is written at once, and behind the number of its thread, so that a reader can tell the
iterations apart.
"""

import logging
import re
import sys
import threading
from io import TextIOBase
from typing import TextIO

_POOL_THREAD = re.compile(r"^ThreadPoolExecutor-\d+_(\d+)$")
_INDENT = "    "  # that kfp.local prints before a stage's line, as a piece of its own
_FORMAT = logging.Formatter("%(asctime)s - %(levelname)s - %(message)s", "%H:%M:%S")


class WholeLines(TextIOBase):
    """Text that passes on whole lines only, those of a pool's thread as `|number| line`."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._begun = threading.local()

    def write(self, text: str) -> int:
        """Keep the last line until its end is written by the same thread."""
        if text == _INDENT:
            return len(text)
        whole, newline, rest = (getattr(self._begun, "text", "") + text).rpartition("\n")
        self._begun.text = rest
        if newline:
            mark = thread_mark(threading.current_thread().name)
            lines = "".join(f"{mark}{line}\n" for line in whole.split("\n"))
            with self._lock:
                self._target.write(lines)
                self._target.flush()
        return len(text)

    def flush(self) -> None:
        """Whole lines are flushed as they are written."""


def thread_mark(name: str) -> str:
    """What stands before the lines of a thread: nothing for the main one, `|0| ` for a pool's first."""
    match = _POOL_THREAD.match(name)
    return f"|{match[1]}| " if match else ""


def keep_lines_whole() -> None:
    """Write all log records and prints of this process through WholeLines from now on."""
    sys.stdout = WholeLines(sys.stdout)
    root = logging.getLogger()
    root.setLevel(logging.INFO)  # which kfp.local goes back to after each task
    root.addFilter(_print_record)  # unlike a handler, a filter is left alone


def _print_record(record: logging.LogRecord) -> bool:
    """Print a record; False, so that it reaches no handler."""
    sys.stdout.write(_FORMAT.format(record) + "\n")
    return False
