"""The whole stage: what goes in comes out once, on the right side, or in the quarantine."""

import gzip
import json
import os
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_raw, read_records
from components.contracts.records import Question
from components.ingest.__main__ import main
from components.ingest.run import run
from components.ingest.split import subject_key
from components.storage import open_input, open_storage
from tests.object_store import ObjectStore

DATA = Path(os.environ.get("WHETSTONE_TEST_DATA", "/absent"))
POPQA = DATA / "popqa/popqa_500_with_paragraphs.jsonl"
GSM8K = DATA / "gsm8k/train.jsonl"
NQ = DATA / "nq_open/nq-open-oracle.jsonl.gz"
needs_data = pytest.mark.skipif(not POPQA.is_file(), reason="WHETSTONE_TEST_DATA names no folder of samples")


class Ingested:
    """What one run of the stage left behind."""

    def __init__(self, folder: Path, questions: str, **settings: Any) -> None:
        self.metrics: dict[str, float] = {}
        metrics = SimpleNamespace(log_metric=self.metrics.__setitem__)
        names = ("set", "traces", "report.md")
        asked, traces, report = (SimpleNamespace(path=str(folder / name)) for name in names)
        self.shards = run(questions, json.dumps(settings), "", asked, traces, metrics, report)
        artifact = open_artifact(folder / "set", "questions/1")
        self.folder = folder / "set"
        self.counts = artifact.manifest.counts
        self.train = list(read_records(artifact.path("train.jsonl"), Question))
        self.held_out = list(read_records(artifact.path("held_out.jsonl"), Question))
        self.quarantine: list[Any] = [row for _, row in read_raw(artifact.path("quarantine.jsonl"))]
        self.report = (folder / "report.md").read_text()
        assert (folder / "traces/traces.jsonl").read_bytes() == b""
        counts = self.counts
        assert counts["read"] == counts["kept"] + counts["quarantined"]
        assert counts["kept"] == len(self.train) + len(self.held_out) + counts["over_limit"]
        assert counts["quarantined"] == len(self.quarantine)
        assert not {subject_key(one) for one in self.train} & {subject_key(one) for one in self.held_out}
        assert len({one.id for one in self.train + self.held_out}) == len(self.train) + len(self.held_out)


def write(path: Path, rows: list[Any]) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def plain(number: int, **fields: Any) -> dict[str, Any]:
    return {"question": f"Who is number {number}?", "answers": [str(number)], **fields}


PLAIN = [plain(number) for number in range(60)]


@needs_data
def test_popqa_alone_is_split_by_subject_and_the_report_says_so(tmp_path: Path) -> None:
    found = Ingested(tmp_path, str(POPQA))
    assert found.counts["read"] == 500
    assert 60 < found.counts["held_out"] < 140
    assert found.counts["duplicates"] == 1
    assert "departs from the self-training paper" in found.report
    assert {one.kind for one in Ingested(tmp_path / "b", f"{POPQA},{GSM8K}").train} == {"gsm8k"}
    always = Ingested(tmp_path / "c", f"{POPQA},{GSM8K}", train_on_long_tail="always")
    assert {one.kind for one in always.train} == {"gsm8k", "popqa"}
    assert found.train[0].kind == "popqa"


@needs_data
@pytest.mark.parametrize("preset", ["self-training", "demo"])
def test_presets_never_train_on_popqa_or_nq(tmp_path: Path, preset: str) -> None:
    with pytest.raises(InputError, match=r"nothing to train on.*train_on_long_tail") as caught:
        Ingested(tmp_path / "a", f"{POPQA},{NQ}", preset=preset)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a/set/manifest.json").exists()
    found = Ingested(tmp_path / "b", f"{POPQA}, {GSM8K}, {NQ}", preset=preset, shards=4, max_train=500)
    assert {one.kind for one in found.train} == {"gsm8k"}
    assert {one.kind for one in found.held_out} == {"gsm8k", "nq", "popqa"}
    assert found.counts["held_out/popqa"] == 499
    assert found.shards == [0, 1, 2, 3]
    assert all(one.answer_type == "number" for one in found.train)


@needs_data
def test_every_nq_row_is_kept(tmp_path: Path) -> None:
    found = Ingested(tmp_path, str(NQ))
    assert found.counts["kept"] == found.counts["read"] == 2655


def test_another_order_gives_the_same_files(tmp_path: Path) -> None:
    rows = [plain(number, subject=f"s{number % 20}") for number in range(60)]
    shuffled = random.Random(0).sample(rows, len(rows))
    first, second = (
        Ingested(tmp_path / name, write(tmp_path / f"{name}.jsonl", given), max_train=30)
        for name, given in (("a", rows), ("b", shuffled))
    )
    for name in ("train.jsonl", "held_out.jsonl"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    other = Ingested(tmp_path / "c", str(tmp_path / "a.jsonl"), seed=1)
    assert {one.id for one in other.held_out} != {one.id for one in first.held_out}


def test_bad_rows_are_counted_with_file_line_field_and_reason(tmp_path: Path) -> None:
    bad: list[Any] = ['{"question": "cut', "[1]", {"question": "Who?"}, {"question": "", "answer": "x"}, ""]
    path = write(tmp_path / "q.jsonl", [*PLAIN[:30], *bad, *PLAIN[30:]])
    found = Ingested(tmp_path, path)
    assert [(row["file"], row["line"]) for row in found.quarantine] == [
        (path, line) for line in range(31, 36)
    ]
    assert [row["field"] for row in found.quarantine[2:4]] == ["answers", "question"]
    assert found.quarantine[2]["reason"] == "missing gold answer"
    assert "| answers: missing gold answer | 1 |" in found.report
    with pytest.raises(InputError, match=rf"^{path}:31: not JSON at column 18: .*on_bad_row is 'fail'"):
        Ingested(tmp_path / "b", path, on_bad_row="fail")
    assert not (tmp_path / "b/set").exists()


@pytest.mark.parametrize("position", [0, 1, 30, 59])
@pytest.mark.parametrize(
    "damage",
    [
        b'{"question": "a", "question": "b", "answer": "c"}', b'{"question": "a", "answer": NaN}',
        b"{}", b"null",
        b'{"question": "a", "answer": "\xff"}', b'{"question": "a", "answer": "\\ud800"}', b"\x00", b"]" * 10,
        b'{"question": {"a": 1}, "answer": "c"}', b'{"question": "a", "answer": 1e999}', b'{"question": "a"',
        b'{"question": "a", "answer": [[]]}', b"[" * 100_000, b'{"question": "a", "answer": null}',
    ],
)  # fmt: skip
def test_a_damaged_line_never_takes_another_with_it(tmp_path: Path, damage: bytes, position: int) -> None:
    lines = [json.dumps(row).encode() for row in PLAIN]
    lines.insert(position, damage)
    (tmp_path / "q.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    found = Ingested(tmp_path, str(tmp_path / "q.jsonl"))
    assert [row["line"] for row in found.quarantine] == [position + 1]
    assert found.counts["kept"] == 60


def test_when_nothing_is_left_the_first_reason_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"question": "a"}, {"question": "b"}])
    with pytest.raises(InputError, match=rf"^{path}:1: answers: missing gold answer \(all 2 rows"):
        Ingested(tmp_path, path)
    with pytest.raises(InputError, match=r"questions: no rows in .*empty\.jsonl"):
        Ingested(tmp_path, write(tmp_path / "empty.jsonl", []))


def test_duplicates_are_set_aside_and_ids_made_unique(tmp_path: Path) -> None:
    rows = [*PLAIN, {"question": "who is  number 7?", "answer": "x"}, plain(100, id="x"), plain(101, id="x")]
    found = Ingested(tmp_path, write(tmp_path / "q.jsonl", rows), on_bad_row="fail")
    assert (found.counts["duplicates"], found.counts["renamed_ids"]) == (1, 1)
    assert found.quarantine[0]["reason"] == f"duplicate question (first at {tmp_path / 'q.jsonl'}:8)"


def test_named_held_out_questions_stay_out_of_training(tmp_path: Path) -> None:
    long = "the old lighthouse keeper of the northern harbour wrote every evening a letter to his far sister"
    train = [*PLAIN, {"question": f"Is it true that {long}?", "answer": "yes"}, plain(90, subject="Rome")]
    held_out = [
        PLAIN[3],
        {"question": f"Why is it that {long} then?", "answer": "no"},
        plain(91, subject="ROME"),
    ]
    names = write(tmp_path / "train.jsonl", train), write(tmp_path / "held.jsonl", held_out)
    found = Ingested(tmp_path, names[0], held_out=names[1], contamination_words=13)
    assert len(found.held_out) == 3
    assert len(found.train) == 59
    assert sorted(row["reason"].split(" (")[0] for row in found.quarantine) == [
        "13 words in a row shared with a held-out question",
        "duplicate question",
        "same subject as a held-out question",
    ]
    with pytest.raises(InputError, match="every training question overlaps"):
        Ingested(tmp_path / "b", write(tmp_path / "one.jsonl", train[60:]), held_out=names[1])


def test_formats_and_kinds_by_file_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in/chat.jsonl", [plain(number + 100) for number in range(20)])
    write(tmp_path / "in/gsm.jsonl", [{"question": f"q{n}", "answer": f"#### {n}"} for n in range(20)])
    (tmp_path / "in/notes.txt").write_text("not ours")
    found = Ingested(
        tmp_path, str(tmp_path / "in"), kinds={"chat*": "no_tool"}, formats={"gsm.jsonl": "gsm8k"}
    )
    assert {one.kind for one in found.train} == {"no_tool", "gsm8k"}
    with pytest.raises(InputError, match=r"ingest_settings\.kinds: no file of questions is called 'caht\*'"):
        Ingested(tmp_path / "b", str(tmp_path / "in"), kinds={"caht*": "no_tool"})
    with pytest.raises(
        InputError, match=r"^ingest_settings: formats\.\*: Input should be 'popqa'.*, got 'gsm'$"
    ):
        Ingested(tmp_path / "b", str(tmp_path / "in"), formats={"*": "gsm"})


def test_kinds_that_collide_with_keys_of_a_summary_are_refused(tmp_path: Path) -> None:
    rows = [*PLAIN, plain(100, kind="tools"), plain(101, kind="no_tool")]
    found = Ingested(tmp_path, write(tmp_path / "q.jsonl", rows))
    (bad,) = found.quarantine
    assert (bad["line"], bad["field"]) == (61, "kind")
    assert bad["reason"] == (
        "'tools' is a key of summary.json with another meaning; expected another name for the kind"
    )
    with pytest.raises(InputError, match=r"^ingest_settings: kinds: 'overall' is a key of summary\.json"):
        Ingested(tmp_path / "b", str(tmp_path / "q.jsonl"), kinds={"*": "overall"})


def test_progress_ends_with_all_sources_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Ingested(tmp_path, write(tmp_path / "q.jsonl", PLAIN))
    assert "[ingest] 2/2 100% eta 00:00 questions 60\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        (" , ", "questions: empty, expected"),
        ("absent.jsonl", r"questions: absent\.jsonl: no such file"),
        ("http://host/q.jsonl", "questions: .*unknown scheme 'http'"),
        ("demo://cals", "questions: demo://cals: unknown demo, expected demo:// or demo://calls"),
    ],
)
def test_sources_that_cannot_be_read(tmp_path: Path, questions: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Ingested(tmp_path, questions)


def test_a_split_that_leaves_one_side_empty_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", PLAIN[:3])
    with pytest.raises(InputError, match=r"none of 3 questions was held out"):
        Ingested(tmp_path / "a", path, held_out_share=0.001)
    assert len(Ingested(tmp_path / "b", path, held_out_share=0).train) == 3
    assert len(Ingested(tmp_path / "c", path, held_out_share=1).held_out) == 3
    assert Ingested(tmp_path / "d", path, held_out_share=0, shards=8).shards == [0, 1, 2]
    (tmp_path / "bad.jsonl").write_text("{\n")
    with pytest.raises(InputError, match=r"\(1 rows were set aside, the first: .*bad\.jsonl:1: not JSON"):
        Ingested(tmp_path / "e", f"{path},{tmp_path / 'bad.jsonl'}", held_out_share=0.001)


def test_questions_from_and_to_the_object_store(s3: ObjectStore, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", PLAIN[:40])
    (tmp_path / "more.csv.gz").write_bytes(
        gzip.compress(b"problem,answer,kind\n1+1?,2,sum\n2+2?,4,sum\n3+3?,6,sum\n")
    )
    root = f"s3://{s3.bucket}/{tmp_path.name}"
    for name in ("q.jsonl", "more.csv.gz"):
        open_storage(root).put_file(tmp_path / name, f"in/{name}")
    whole = Ingested(tmp_path / "a", f"{root}/in/")
    parts = Ingested(tmp_path / "b", f"{root}/in/q.jsonl,{root}/in/more.csv.gz")
    assert (whole.train, whole.held_out) == (parts.train, parts.held_out)
    assert f"| {root}/in/more.csv.gz | plain | 3 | 3 | 0 |" in whole.report
    names = ("set", "traces", "report.md")
    asked, traces, report = (SimpleNamespace(path=str(tmp_path / "c" / name)) for name in names)
    metrics = SimpleNamespace(log_metric=lambda *_: None)
    assert run(f"{root}/in", "", f"{root}/artifacts", asked, traces, metrics, report) == [0]
    opened = open_input(asked.path, "questions/1")
    assert open_input(traces.path, "traces/1").manifest.counts["traces"] == 0
    assert list(read_records(opened.path("train.jsonl"), Question)) == whole.train
    with pytest.raises(InputError, match=rf"{root}/absent: no such object"):
        Ingested(tmp_path / "d", f"{root}/absent")


def test_the_built_in_questions(tmp_path: Path) -> None:
    found = Ingested(tmp_path, "demo://", preset="demo")
    assert found.counts["quarantined"] == 0
    assert {one.kind for one in found.train} == {one.kind for one in found.held_out}


def test_the_command_line_prints_one_line_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "q.jsonl", PLAIN)
    assert main(["--questions", path, "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/question_set/manifest.json").is_file()
    arguments = ["--questions", path, "--output", str(tmp_path / "no"), "--settings", '{"sheed": 3}']
    assert main(arguments) == 2
    assert capsys.readouterr().err == "ingest_settings: unknown key 'sheed' (did you mean 'seed'?)\n"
    assert main([*arguments[:-1], '{"presett": "demo"}']) == 2
    assert capsys.readouterr().err == "ingest_settings: unknown key 'presett' (did you mean 'preset'?)\n"
