"""What passes inside ingest: a row as read, why one can't be used, and what a format makes of one."""

from collections.abc import Mapping
from dataclasses import dataclass


class RowError(ValueError):
    """A row can't become a question; `field` names what is wrong in it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True)
class Row:
    """One row of a source; `line` is the 1-based line it begins on."""

    source: str
    line: int
    value: Mapping[str, object]


@dataclass(frozen=True)
class Draft:
    """What a format makes of a row. Empty `id` and `kind` are filled in later; `note` is counted."""

    text: str
    answers: tuple[str, ...]
    answer_type: str = "text"
    subject: str = ""
    id: str = ""
    kind: str = ""
    tools: tuple[str, ...] = ()
    note: str = ""
