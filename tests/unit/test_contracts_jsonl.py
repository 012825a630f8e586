"""JSON Lines: every corruption is named file:line, and read == kept + quarantined, always."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.jsonl import BadLine, ReadCounts, read_raw, read_records, write_records
from components.contracts.records import AssistantTurn, Question, Record, ToolCall

LINES = 200
GOOD = [
    json.dumps(
        {"id": f"q{index}", "text": "How far is Žilina?", "answers": ["a", "b"], "kind": "k"},
        ensure_ascii=False,
    )
    for index in range(LINES)
]


class Number(Record):
    """One float, to see that it comes back exactly."""

    value: float


def changed(**fields: object) -> Callable[[str], bytes]:
    """A corruption that sets fields of the line's object."""
    return lambda line: json.dumps({**json.loads(line), **fields}).encode()


def without(name: str) -> Callable[[str], bytes]:
    """A corruption that leaves a field out."""
    return lambda line: json.dumps(
        {key: value for key, value in json.loads(line).items() if key != name}
    ).encode()


CORRUPTIONS: dict[str, Callable[[str], bytes]] = {
    "truncated": lambda line: line.encode()[: len(line) // 2],
    "without its brace": lambda line: line.encode()[:-1],
    "bad utf-8": lambda line: line.encode().replace(b"far", b"f\xffr"),
    "latin-1": lambda line: line.replace("Ž", "é").encode("latin-1", "replace"),
    "utf-16": lambda line: line.encode("utf-16-le"),
    "nul bytes": lambda line: line.encode().replace(b"far", b"f\x00r"),
    "all nul": lambda line: b"\x00" * len(line),
    "control character": lambda line: line.encode().replace(b"far", b"f\x07r"),
    "byte-order mark inside": lambda line: b"\xef\xbb\xbf\xef\xbb\xbf" + line.encode(),
    "nan": lambda line: line.encode().replace(b'"k"', b"NaN"),
    "infinity": lambda line: line.encode().replace(b'"k"', b"-Infinity"),
    "overflowing number": lambda line: line.encode().replace(b'"k"', b"1e999"),
    "endless integer": lambda line: line.encode().replace(b'"k"', b"9" * 5000),
    "duplicate key": lambda line: line.encode().replace(b'{"id"', b'{"id": "x", "id"'),
    "duplicate key inside": lambda line: line.encode().replace(b'"k"', b'{"a": 1, "a": 2}'),
    "number for text": changed(text=5),
    "text for a list": changed(answers="a"),
    "null for text": changed(text=None),
    "number in a list": changed(answers=["a", 1]),
    "unknown choice": changed(answer_type="list"),
    "unknown field": changed(colour="red"),
    "missing field": without("text"),
    "deep lists": lambda line: line.encode().replace(b'"k"', b"[" * 200_000),
    "deep lists, closed": lambda line: line.encode().replace(b'"k"', b"[" * 200_000 + b"]" * 200_000),
    "deep objects": lambda line: line.encode().replace(b'"k"', b'{"a":' * 200_000),
    "rather deep": lambda line: line.encode().replace(b'"k"', b"[" * 500 + b"]" * 500),
    "huge": lambda line: line.encode().replace(b"far", b"f" * 2_000_000),
    "list": lambda line: b"[" + line.encode() + b"]",
    "scalar": lambda line: b"42",
    "empty line": lambda line: b"",
    "blank line": lambda line: b" \t",
    "two objects": lambda line: line.encode() + b" " + line.encode(),
    "trailing comma": lambda line: line.encode().replace(b"}", b",}"),
    "single quotes": lambda line: line.replace('"', "'").encode(),
    "comment": lambda line: b"# " + line.encode(),
    "half a surrogate": lambda line: line.encode().replace(b"far", b"\\ud83d"),
    "carriage return inside": lambda line: line.encode().replace(b"far", b"f\rr"),
    "html": lambda line: b"<html>502 Bad Gateway</html>",
    "joined with the next": lambda line: line.encode()[:-1] + line.encode(),
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("position", [0, 1, 117, LINES - 2, LINES - 1])
def test_a_corrupt_line_is_named_and_counted(kind: str, position: int, tmp_path: Path) -> None:
    lines = [line.encode() for line in GOOD]
    lines[position] = CORRUPTIONS[kind](GOOD[position])
    path = tmp_path / "questions.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    # Empty lines at the end of a file are no records and no error.
    bad = 0 if kind in ("empty line", "blank line") and position == LINES - 1 else 1

    counts, quarantine = ReadCounts(), tmp_path / "quarantine.jsonl"
    kept = list(read_records(path, Question, quarantine=quarantine, counts=counts, max_line_bytes=1_000_000))
    assert (counts.read, counts.kept, counts.quarantined) == (LINES - 1 + bad, len(kept), bad)
    assert [one.id for one in kept] == [f"q{index}" for index in range(LINES) if index != position]
    if not bad:
        return
    (entry,) = [json.loads(line) for line in quarantine.read_text().splitlines()]
    assert (entry["file"], entry["line"]) == (str(path), position + 1)
    assert entry["reason"]
    assert len(entry["text"]) <= 2000
    with pytest.raises(InputError) as raised:
        list(read_records(path, Question, max_line_bytes=1_000_000))
    assert str(raised.value).startswith(f"{path}:{position + 1}: ")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("number for text", "text"),
        ("number in a list", "answers.1"),
        ("unknown field", "colour"),
        ("missing field", "text"),
    ],
)
def test_the_field_is_named(kind: str, field: str, tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(CORRUPTIONS[kind](GOOD[0]))
    with pytest.raises(InputError, match=rf"questions\.jsonl:1: {field}: "):
        list(read_records(path, Question))


def test_harmless_differences_are_let_through(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(GOOD).encode() + b"\r\n\r\n \n\n")
    assert len(list(read_records(path, Question))) == LINES
    path.write_bytes(b"")
    assert list(read_records(path, Question)) == []
    with pytest.raises(InputError, match=r"absent\.jsonl: can't be read: No such file"):
        list(read_records(tmp_path / "absent.jsonl", Question))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not gzip"])
def test_a_damaged_gzip_file_is_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl.gz"
    whole = gzip.compress("\n".join(GOOD).encode())
    middle = len(whole) // 2
    path.write_bytes(
        {
            "truncated": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :],
            "not gzip": b"hello",
        }[damage]
    )
    counts = ReadCounts()
    kept = list(read_records(path, Question, quarantine=tmp_path / "quarantine.jsonl", counts=counts))
    assert counts.quarantined >= 1
    assert counts.read == len(kept) + counts.quarantined
    with pytest.raises(InputError, match=r"questions\.jsonl\.gz:\d+: "):
        list(read_records(path, Question))


def test_a_huge_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.jsonl"
    path.write_bytes(b'{"a": "' + b"x" * 50_000_000 + b'"}\n{"a": 1}\n')
    tracemalloc.start()
    found = list(read_raw(path, max_line_bytes=100_000))
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert isinstance(found[0][1], BadLine)
    assert found[1] == (2, {"a": 1})


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    texts=st.lists(st.text(), max_size=5),
    numbers=st.lists(st.integers(), max_size=3),
)
def test_records_come_back_exactly(
    values: list[float], texts: list[str], numbers: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("exact")
    for name in ("plain.jsonl", "packed.jsonl.gz"):
        assert write_records(folder / name, [Number(value=value) for value in values]) == len(values)
        assert [one.value for one in read_records(folder / name, Number)] == values
        calls = [ToolCall(name=text, arguments={text: [text, *numbers, *values]}) for text in texts]
        write_records(folder / name, calls)
        assert list(read_records(folder / name, ToolCall)) == calls


def test_writing_is_whole_or_not_at_all_and_the_same_each_time(tmp_path: Path) -> None:
    turn = AssistantTurn(message=1, token_ids=(1, 2), logprobs=(-0.1, 0.0), finish_reason="stop")
    path = tmp_path / "turns.jsonl.gz"
    assert write_records(path, [turn, {"message": 2}]) == 2
    first = path.read_bytes()
    write_records(path, [turn, {"message": 2}])
    assert path.read_bytes() == first
    broken = turn.model_copy(update={"logprobs": (float("nan"),)})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_records(path, [turn, broken])
    assert path.read_bytes() == first
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    with pytest.raises(InputError, match="can't be written"):
        write_records(tmp_path / "no" / "folder.jsonl", [turn])
