"""One file of rows to questions: the format is found or named, bad rows are set aside."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from pydantic import ValidationError

from components.contracts.jsonl import BadLine
from components.contracts.kinds import reason_against
from components.contracts.records import Question
from components.ingest.containers import read_rows
from components.ingest.formats import detect_format, named_format
from components.ingest.formats.base import Format
from components.ingest.quarantine import Quarantine
from components.ingest.rows import Draft, Row, RowError
from components.ingest.settings import FormatName
from components.ingest.sources import Source

HEAD_ROWS = 20  # rows looked at to find a file's format


@dataclass(frozen=True)
class Located:
    """A question and where it came from. `note` says what the conversion left out, if anything."""

    question: Question
    source: str
    line: int
    format: Format
    note: str = ""


def read_questions(
    source: Source, format_name: FormatName | None, kind: str, quarantine: Quarantine
) -> Iterator[Located]:
    """Stream the questions of one file; what can't be used goes to `quarantine`.

    `format_name` None: found from the first rows. `kind` empty: the row's own, else the format's.

    Raises:
        InputError: no format fits the file's rows, or the file can't be read.
    """
    rows = read_rows(source.path, source.name)
    if format_name is not None:
        known: Format | None = named_format(format_name)
    else:
        head = list(islice(rows, HEAD_ROWS))
        rows = chain(head, rows)
        good = [row.value for row in head if isinstance(row, Row)]
        known = detect_format(good, source.name) if good else None
    for row in rows:
        if isinstance(row, BadLine):
            quarantine.add(row)
            continue
        # only a file whose first rows were all bad comes here without a format
        known = known or detect_format([row.value], source.name)
        try:
            draft = known.convert(row.value)
            yield Located(to_question(draft, known, kind), row.source, row.line, known, draft.note)
        except RowError as error:
            quarantine.add(BadLine(row.source, row.line, error.field, error.reason, row_text(row)))


def to_question(draft: Draft, known: Format, kind: str) -> Question:
    """The record of a draft.

    Raises:
        RowError: a reserved kind, or a value the record refuses (a lone surrogate, for instance).
    """
    chosen = kind or draft.kind or known.kind
    if reason := reason_against(chosen):
        raise RowError("kind", reason)
    values: dict[str, Any] = {
        "id": draft.id or f"{known.kind}-{short_hash(draft.text)}",
        "text": draft.text,
        "answers": draft.answers,
        "answer_type": draft.answer_type,
        "kind": chosen,
        "subject": draft.subject,
        "tools": draft.tools,
    }
    try:
        return Question.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise RowError(".".join(str(part) for part in first["loc"]), str(first["msg"])) from error


def short_hash(text: str) -> str:
    """Twelve hex digits that stand for the text; text that is no Unicode is let through."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def row_text(row: Row) -> str:
    """The row as JSON, for the quarantine."""
    return json.dumps(row.value, default=str)
