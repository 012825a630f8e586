"""csv and tsv: one header line, then rows with as many cells."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from components.contracts.errors import InputError
from components.contracts.jsonl import BadLine
from components.ingest.rows import Row

LONGEST_CELL = 16 * 2**20  # characters; csv's own limit of 131072 is less than some passages


def read_table(path: Path, source: str, delimiter: str) -> Iterator[Row | BadLine]:
    """Stream a table's rows as objects of text; a row's line is the one it begins on.

    Raises:
        InputError: no header, a header with empty or repeated names, or one that is not UTF-8.
    """
    csv.field_size_limit(LONGEST_CELL)
    with _open_text(path) as file:
        # strict: a stray quote is named where it stands instead of swallowing the rows behind it
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = _header(reader, source)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadLine(source, line, "row", f"not a row of a table: {error}", "")
                continue
            if cells:
                yield _row(header, cells, source, line, delimiter)


def _row(header: list[str], cells: list[str], source: str, line: int, delimiter: str) -> Row | BadLine:
    text = delimiter.join(cells)
    if len(cells) != len(header):
        return BadLine(source, line, "row", f"expected {len(header)} cells, got {len(cells)}", text)
    if not _is_unicode(text):
        return BadLine(source, line, "row", "expected UTF-8 text", text.encode("utf-8", "replace").decode())
    return Row(source, line, dict(zip(header, cells, strict=True)))


def _header(reader: Iterator[list[str]], source: str) -> list[str]:
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error):
        header = []
    if not header or not all(header) or len(set(header)) < len(header) or not _is_unicode("".join(header)):
        raise InputError(f"{source}:1: expected a header line with one different name a column")
    return header


def _open_text(path: Path) -> TextIO:
    # undecodable bytes become lone surrogates, so that one bad row doesn't end the reading
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return open(path, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
