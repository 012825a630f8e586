"""Streaming JSON Lines, plain or gzip: a bad line is named `file:line` and, when wanted, quarantined.

A line is bad when it is not UTF-8, not one JSON object (NaN, infinities and duplicate keys included),
empty between others, too long, or when it is not the record that was asked for. A byte-order mark at the
start, CRLF and empty lines at the end are let through.
"""

import gzip
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError

from components.contracts.errors import InputError
from components.contracts.json_lines import (
    QUOTED_CHARACTERS,
    BadLine,
    bad_line,
    parse_object,
    read_lines,
    shorten,
)

__all__ = [
    "QUOTED_CHARACTERS",
    "BadLine",
    "ReadCounts",
    "append_quarantine",
    "read_raw",
    "read_records",
    "write_errors",
    "write_records",
]

RecordType = TypeVar("RecordType", bound=BaseModel)

MAX_LINE_BYTES = 64 * 1024 * 1024


@dataclass
class ReadCounts:
    """Lines of a file so far. Always read == kept + quarantined."""

    read: int = 0
    kept: int = 0
    quarantined: int = 0


def read_raw(
    path: Path | str, *, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Every line as (line number from 1, JSON object or BadLine); never raises for a line's content.

    Raises:
        InputError: the file is not there or can't be read at all.
    """
    path = Path(path)
    for number, line in read_lines(path, max_line_bytes):
        yield number, line if isinstance(line, BadLine) else parse_object(path, number, line)


def read_records(
    path: Path | str,
    type_: type[RecordType],
    *,
    quarantine: Path | None = None,
    counts: ReadCounts | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Iterator[RecordType]:
    """The file's records, one at a time, validated strictly (no text for a number or the like).

    With `quarantine`, bad lines are appended to that file as {"file","line","field","reason","text"};
    `counts` is kept up to date while reading.

    Raises:
        InputError: without `quarantine`, at the first bad line: `file:line: field: what, expected`.
    """
    path = Path(path)
    counts = counts if counts is not None else ReadCounts()
    for number, line in read_lines(path, max_line_bytes):
        counts.read += 1
        record = line if isinstance(line, BadLine) else _parse_record(path, number, line, type_)
        if not isinstance(record, BadLine):
            counts.kept += 1
            yield record
            continue
        counts.quarantined += 1
        if quarantine is None:
            raise InputError(record.message())
        append_quarantine(quarantine, record)


def append_quarantine(path: Path, bad: BadLine) -> None:
    """Add one bad line to a quarantine file."""
    with write_errors(path), path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(bad), ensure_ascii=True) + "\n")


def write_records(path: Path | str, records: Iterable[BaseModel | Mapping[str, Any]]) -> int:
    """Write records one a line (gzip when the name ends in .gz) and return how many.

    The file appears whole or not at all; equal records give equal bytes.

    Raises:
        InputError: the disk is full or the folder can't be written.
        ValueError: a record holds a number that is not finite.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    count = 0
    try:
        with write_errors(path), _open_for_writing(partial, compressed=path.suffix == ".gz") as stream:
            for record in records:
                stream.write(_dump(record).encode("utf-8") + b"\n")
                count += 1
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return count


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of writing `path` into one clear line.

    Raises:
        InputError: disk or quota full, file size limit, no permission, read-only file system ...
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror or error}") from error


def _dump(record: BaseModel | Mapping[str, Any]) -> str:
    content = record.model_dump(mode="json") if isinstance(record, BaseModel) else record
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@contextmanager
def _open_for_writing(path: Path, *, compressed: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as plain:
        if not compressed:
            yield plain
            return
        # No name and no time in the header, so that equal records give equal bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0, compresslevel=6) as stream:
            yield stream  # type: ignore[misc]


def _parse_record(path: Path, number: int, line: str, type_: type[RecordType]) -> RecordType | BadLine:
    value = parse_object(path, number, line)
    if isinstance(value, BadLine):
        return value
    try:
        # From the text, not from `value`: only then does strict mode take lists for tuples.
        return type_.model_validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        shown = "" if first["type"] == "missing" else f", got {shorten(first['input'])}"
        return bad_line(path, number, f"{first['msg']}{shown}", line, field)
