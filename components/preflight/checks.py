"""What a check is, and how all of them run side by side, each within the deadline."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from components.contracts.errors import InputError
from components.contracts.progress import Progress


class Skipped(Exception):
    """The check can't be made here; the message says why, and what that means."""


@dataclass(frozen=True)
class Check:
    """One thing to look at. `look` returns what it found, or raises InputError or Skipped."""

    name: str
    subject: str
    look: Callable[[], str]


@dataclass(frozen=True)
class Row:
    """What came of a check; `detail` is one line, for a failure also with what to do."""

    name: str
    subject: str
    state: Literal["ok", "failed", "skipped"]
    detail: str


def run_checks(checks: Sequence[Check], deadline: float) -> list[Row]:
    """Run all checks at once, with progress; the rows come in the order of the checks.

    A check without an answer after `deadline` seconds failed. Its thread is left behind (a daemon),
    since a socket that hangs can't be interrupted.
    """
    answers: queue.Queue[tuple[int, Row]] = queue.Queue()
    for number, check in enumerate(checks):
        threading.Thread(target=_answer, args=(number, check, answers), daemon=True).start()
    rows: dict[int, Row] = {}
    progress = Progress("preflight", len(checks))
    end = time.monotonic() + deadline
    while len(rows) < len(checks):
        try:
            number, row = answers.get(timeout=max(end - time.monotonic(), 0.001))
        except queue.Empty:
            break
        rows[number] = row
        progress.advance()
    late = f"no answer within {deadline:g} s; check the address, the network and the service behind it"
    return [rows.get(number, Row(one.name, one.subject, "failed", late)) for number, one in enumerate(checks)]


def _answer(number: int, check: Check, answers: "queue.Queue[tuple[int, Row]]") -> None:
    try:
        row = Row(check.name, check.subject, "ok", check.look())
    except Skipped as reason:
        row = Row(check.name, check.subject, "skipped", str(reason))
    except InputError as error:
        row = Row(check.name, check.subject, "failed", str(error))
    except Exception as error:  # a check that breaks must not hide the others
        row = Row(check.name, check.subject, "failed", f"{type(error).__name__}: {error}")
    answers.put((number, row))
