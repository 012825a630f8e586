"""What passes inside ingest: a row as read, why one can't be used, and what a format makes of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from components.contracts.records import ToolCall
from components.contracts.tool_schemas import ToolSchema


class RowError(ValueError):
    """A row can't be used; `field` names what is wrong in it."""

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


@dataclass(frozen=True)
class Said:
    """One message of a dialogue with tools, whatever its format was.

    text: an assistant's answer, or the thought before its `calls`. alternatives: other lists of calls
    that are as right as `calls`. call_id: which call a tool's message answers, empty where its place says it.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[ToolCall, ...] = ()
    alternatives: tuple[tuple[ToolCall, ...], ...] = ()
    name: str = ""
    call_id: str = ""


@dataclass(frozen=True)
class Exchange:
    """What a format makes of a row with tools.

    only_last: nothing but the last message, an assistant's call, is to be learned or judged: a gold.
    Otherwise the row is a trajectory, or (without any assistant message) a request nobody answered.
    reference: JSON for a benchmark's own checker, as `Question.reference` has it.
    """

    tools: tuple[ToolSchema, ...]
    said: tuple[Said, ...]
    only_last: bool = False
    answers: tuple[str, ...] = ()
    id: str = ""
    kind: str = ""
    subject: str = ""
    note: str = ""
    reference: str = ""
