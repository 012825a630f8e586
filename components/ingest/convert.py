"""One file of rows to questions and traces: the format is found or named, bad rows are set aside."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from components.contracts.jsonl import BadLine
from components.contracts.kinds import reason_against
from components.contracts.records import Question, Trace
from components.ingest.companions import Companions
from components.ingest.containers import read_rows
from components.ingest.exchanges import build_sample
from components.ingest.formats import detect_format, named_format
from components.ingest.formats.base import Format
from components.ingest.quarantine import Quarantine
from components.ingest.rows import Draft, Exchange, Row, RowError
from components.ingest.settings import FormatName
from components.ingest.sources import Source

Role = Literal["questions", "golds", "trajectories"]
ROLES: tuple[Role, ...] = ("questions", "golds", "trajectories")
HEAD_ROWS = 20  # rows looked at to find a file's format


@dataclass(frozen=True)
class Located:
    """An example and where it came from. `note` says what the conversion left out, if anything.

    question: its identity, and its training side unless only its trace is trained. held_out: what is
    judged; None where `refused` says why it can't be. trace: the training side of an exchange with tools.
    text: what tells an exchange from others of the same request; empty for questions without tools.
    role: what the row was; held out, both golds and trajectories are judged by golds.
    """

    question: Question
    source: str
    line: int
    format: Format
    note: str = ""
    held_out: Question | None = None
    trace: Trace | None = None
    text: str = ""
    refused: str = ""
    role: Role = "questions"

    def judged(self) -> "Located":
        """The same example as one of the held-out side."""
        return replace(self, question=self.held_out) if self.held_out is not None else self

    def renamed(self, name: str) -> "Located":
        """The example under another id, in all of its records."""
        question = self.question.model_copy(update={"id": name})
        held_out = self.held_out and self.held_out.model_copy(update={"id": name})
        trace = self.trace
        if trace is not None:
            asked = trace.question.model_copy(update={"id": name})
            trace = trace.model_copy(update={"id": f"{name}#{trace.sample}", "question": asked})
        return replace(self, question=question, held_out=held_out, trace=trace)


def read_questions(
    source: Source,
    format_name: FormatName | None,
    kind: str,
    quarantine: Quarantine,
    *,
    call_format: str = "hermes",
    companions: Companions | None = None,
) -> Iterator[Located]:
    """Stream the examples of one file; what can't be used goes to `quarantine`.

    `format_name` None: found from the first rows. `kind` empty: the row's own, else the format's.
    `companions`: the files that belong to this one; by default they are looked for beside it.

    Raises:
        InputError: no format fits the file's rows, or the file can't be read.
    """
    beside = companions or Companions(source.path)
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
        for part in known.parts(row.value):
            try:
                found = known.convert(beside.complete(part))
                yield _located(found, row, known, kind, call_format)
            except RowError as error:
                text = row_text(replace(row, value=part))
                quarantine.add(BadLine(row.source, row.line, error.field, error.reason, text))


def _located(found: Draft | Exchange, row: Row, known: Format, kind: str, call_format: str) -> Located:
    if isinstance(found, Draft):
        return Located(to_question(found, known, kind), row.source, row.line, known, found.note)
    file = PurePosixPath(row.source).name
    chosen = check_kind(kind or found.kind or known.kind_of(file) or known.kind)
    sample = build_sample(found, chosen, call_format)
    return Located(
        sample.question,
        row.source,
        row.line,
        known,
        sample.note,
        held_out=sample.held_out,
        trace=sample.trace,
        text=sample.text,
        refused=sample.refused,
        role="questions" if sample.trace is None else "golds" if found.only_last else "trajectories",
    )


def check_kind(kind: str) -> str:
    """The kind itself.

    Raises:
        RowError: it is reserved.
    """
    if reason := reason_against(kind):
        raise RowError("kind", reason)
    return kind


def to_question(draft: Draft, known: Format, kind: str) -> Question:
    """The record of a draft.

    Raises:
        RowError: a reserved kind, or a value the record refuses (a lone surrogate, for instance).
    """
    chosen = check_kind(kind or draft.kind or known.kind)
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
        question = Question.model_validate(values)
        question.model_dump_json()
    except ValidationError as error:
        first = error.errors()[0]
        raise RowError(".".join(str(part) for part in first["loc"]), str(first["msg"])) from error
    except PydanticSerializationError as error:
        raise RowError("question", "expected Unicode text, got half of a surrogate pair") from error
    return question


def short_hash(text: str) -> str:
    """Twelve hex digits that stand for the text; text that is no Unicode is let through."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def row_text(row: Row) -> str:
    """The row as JSON, for the quarantine."""
    return json.dumps(row.value, default=str)
