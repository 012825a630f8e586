"""Every container gives the same rows with their lines; damage is named by line."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.contracts.jsonl import BadLine
from components.ingest.containers import read_rows
from components.ingest.rows import Row

ROWS = [{"question": f"Who is\n№ {n}?", "answer": f'a "{n}", b'} for n in range(4)]


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def table(delimiter: str, folder: Path) -> str:
    with open(folder / "scratch", "w+", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["question", "answer"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)
        file.seek(0)
        return file.read()


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".json", ".JSON", ".csv", ".tsv"])
def test_the_same_rows_from_every_container(tmp_path: Path, suffix: str, gz: str) -> None:
    texts = {".json": json.dumps(ROWS, indent=1), ".csv": table(",", tmp_path), ".tsv": table("\t", tmp_path)}
    text = texts.get(suffix.lower(), "".join(json.dumps(row) + "\n" for row in ROWS))
    found = list(read_rows(write(tmp_path / f"rows{suffix}{gz}", text), "name"))
    assert [row.value for row in found if isinstance(row, Row)] == ROWS
    assert [row.line for row in found] == {
        ".json": [2, 6, 10, 14],
        ".csv": [2, 4, 6, 8],
        ".tsv": [2, 4, 6, 8],
    }.get(suffix.lower(), [1, 2, 3, 4])


def test_json_lines_under_a_json_name_and_one_object(tmp_path: Path) -> None:
    lines = write(tmp_path / "lines.json", '{"a": 1}\n{"a": 2}\n')
    assert [row.value for row in read_rows(lines, "n") if isinstance(row, Row)] == [{"a": 1}, {"a": 2}]
    one = write(tmp_path / "one.json", '{\n"a": 1\n}\n')
    assert list(read_rows(one, "n")) == [Row("n", 1, {"a": 1})]


def test_bad_rows_are_named_and_the_others_read_on(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'question,answer\nq1,a1\nq2\n"q3"x,a3\nq4,\xff\nq5,a5\n')
    found = list(read_rows(path, "s3://b/t.csv"))
    assert [row.line for row in found if isinstance(row, Row)] == [2, 6]
    bad = [row for row in found if isinstance(row, BadLine)]
    assert [row.message() for row in bad] == [
        "s3://b/t.csv:3: row: expected 2 cells, got 1",
        "s3://b/t.csv:4: row: not a row of a table: ',' expected after '\"'",
        "s3://b/t.csv:5: row: expected UTF-8 text",
    ]
    path = write(tmp_path / "t.json", '[{"a": 1},\n 7,\n {"a": 2}]')
    assert [type(row) for row in read_rows(path, "n")] == [Row, BadLine, Row]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", b'[{"a": 1},\n{"a": }]', r"n:2: not JSON: Expecting value at column 7"),
        ("a.json", b'[{"a": 1}\n', r"n:2: not JSON: expected ','"),
        ("a.json", b"[" * 200_000, r"n:1: not JSON: value too long or too deep"),
        ("a.json", b'[{"a": 1}] [', r"n:1: not JSON: expected nothing behind the array"),
        ("a.json", b'[{"a":\n"\xff"}]', r"n:2: byte 8: expected UTF-8"),
        ("a.csv", b"", r"n:1: expected a header"),
        ("a.csv", b"a,a\n1,2\n", r"n:1: expected a header"),
        ("a.parquet.gz", b"", r"n: unknown kind of file, expected \.csv"),
        ("a.csv.gz", b"plain", r"n: damaged or cut short"),
        ("a.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 50_000)[:-50], r"n: damaged or cut short"),
        ("a.json.gz", b"plain", r"n: damaged or cut short"),
        ("a.jsonl.gz", b"plain", r"n:1: the file can't be read from here on"),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"a": 1}\n' * 50_000)[:-50],
            r"n:\d+: the file can't be read from here on",
        ),
    ],
)
def test_files_that_cannot_be_read_are_refused_in_one_line(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        list(read_rows(tmp_path / name, "n"))
    assert "\n" not in str(caught.value)
