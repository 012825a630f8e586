"""Rows set aside: written with their place and reason, counted, and never lost."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from components.contracts.errors import InputError
from components.contracts.jsonl import QUOTED_CHARACTERS, BadLine, append_quarantine, write_errors

# What follows differs from row to row; the report counts what comes before.
_DETAIL = re.compile(r", got | \(| at column | at byte ")


class Quarantine:
    """Writes quarantine.jsonl: one object a row with file, line, field, reason and text.

    With `fail`, the first bad row ends the run instead (InputError).
    """

    def __init__(self, path: Path, *, fail: bool = False) -> None:
        with write_errors(path):
            path.touch()
        self._path = path
        self._fail = fail
        self.first: BadLine | None = None
        self.count = 0
        self.reasons: Counter[str] = Counter()

    def add(self, bad: BadLine, *, fault: bool = True) -> None:
        """Set a row aside; `fault` is False for good rows that may not be used (duplicates).

        Raises:
            InputError: the row is at fault and the quarantine was opened with `fail`.
        """
        if fault and self._fail:
            raise InputError(f"{bad.message()} (ingest_settings.on_bad_row is 'fail')")
        self.first = self.first or bad
        self.count += 1
        self.reasons[f"{bad.field or 'row'}: {_DETAIL.split(bad.reason)[0]}"] += 1
        append_quarantine(self._path, replace(bad, text=bad.text[:QUOTED_CHARACTERS]))
