"""From a file to rows: csv, tsv, jsonl and json, each also gzipped, and Parquet. Every row knows its line."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from components.contracts.errors import InputError
from components.contracts.jsonl import BadLine, read_raw
from components.ingest.json_array import array_elements
from components.ingest.parquet import read_parquet
from components.ingest.rows import Row
from components.ingest.tables import read_table

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson")
BROKEN_OFF = "the file can't be read from here on"  # as contracts.jsonl says it
PARQUET = ".parquet"
SUFFIXES = (*DELIMITERS, *LINES, ".json", PARQUET)


def container_suffix(name: str) -> str:
    """The suffix that says how the file is read, `.gz` looked through; empty when none is known."""
    suffix = PurePosixPath(name.lower().removesuffix(".gz")).suffix
    if suffix == PARQUET and not name.lower().endswith(PARQUET):
        return ""
    return suffix if suffix in SUFFIXES else ""


def read_rows(path: Path, source: str) -> Iterator[Row | BadLine]:
    """Stream the rows of `path`; `source` is what errors call the file.

    Raises:
        InputError: an unknown suffix, a file that can't be read or unpacked, a `.json` file that
            is no JSON, a table without a usable header, or Parquet without pyarrow.
    """
    suffix = container_suffix(path.name)
    if not suffix:
        raise InputError(f"{source}: unknown kind of file, expected {', '.join(SUFFIXES)}, plain or with .gz")
    try:
        if suffix in DELIMITERS:
            yield from read_table(path, source, DELIMITERS[suffix])
        elif suffix in LINES:
            yield from _lines(path, source)
        elif suffix == PARQUET:
            yield from read_parquet(path, source)
        else:
            yield from _json(path, source)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{source}: damaged or cut short, expected a whole gzip file ({error})") from error
    except OSError as error:
        raise InputError(f"{source}: can't be read: {error.strerror or error}") from error


def _lines(path: Path, source: str) -> Iterator[Row | BadLine]:
    for number, value in read_raw(path):
        if isinstance(value, BadLine):
            if value.reason.startswith(BROKEN_OFF):  # nobody knows how many rows are lost
                raise InputError(replace(value, file=source).message())
            yield replace(value, file=source)
        else:
            yield Row(source, number, value)


def _json(path: Path, source: str) -> Iterator[Row | BadLine]:
    """An array of objects, one object, or (in spite of the name) an object a line."""
    data = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        data = gzip.decompress(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{source}:{line}: byte {error.start}: expected UTF-8 text") from error
    if text.lstrip()[:1] == "{":
        whole = _one_object(text)
        yield from _lines(path, source) if whole is None else [Row(source, 1, whole)]
        return
    try:
        for line, value in array_elements(text):
            if isinstance(value, dict):
                yield Row(source, line, value)
            else:
                reason = f"expected an object, got {type(value).__name__}"
                yield BadLine(source, line, "row", reason, json.dumps(value))
    except json.JSONDecodeError as error:
        raise InputError(f"{source}:{error.lineno}: not JSON: {error.msg} at column {error.colno}") from error


def _one_object(text: str) -> dict[str, object] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
