"""Error labeling leaves out traces that hold what is judged by, before anything is trained on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.contamination import ContaminationHit
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import LabeledTrace, Question, Trace
from components.error_labeling.run import run
from components.error_labeling.selection import CONTAMINATED
from tests.traces import make_trace

LONG = "a farmer has twelve cows and buys nine more from his old neighbour who lives far away"
SIDES = {
    "held_out": [Question(id="h", text="Where does the river of the north end?", answers=("x",))],
    "validation": [Question(id="v", text="Who has the oldest boat?", answers=("x",))],
    "suites": [Question(id="s", text=LONG, suite="bfcl:multiple")],
    "suites_left_out": [
        Question(id="l", text="How many bridges cross the old canal?", suite="bfcl:multiple")
    ],
}


def question_set(folder: Path, *, words: int = 13, sides: tuple[str, ...] = tuple(SIDES)) -> dsl.Dataset:
    with write_artifact(folder, "questions/1") as writer:
        for side in sides:
            write_records(writer.folder / f"{side}.jsonl", SIDES[side])
        writer.details["contamination_words"] = words
    return dsl.Dataset(uri=str(folder))


def holding(text: str, name: str, place: int = 3, **values: Any) -> Trace:
    """A trace with one call whose message `place` (3: the tool's reply) holds the text."""
    trace = make_trace(name, errors=(None,), **values)
    messages = list(trace.messages)
    messages[place] = messages[place].model_copy(update={"content": f"Passage. {text} And so on."})
    return trace.model_copy(update={"messages": tuple(messages)})


TRACES = [
    make_trace("clean", errors=(None,)),
    holding(LONG.upper(), "reply"),
    holding("Who has the oldest boat?", "answer", 4),
    holding("Where does the river of the north end?", "wrong", 2, correct=False),
    holding(LONG, "system", 0),
    holding("How many bridges cross the old canal?", "left out"),
]


def label(
    folder: Path, asked: dsl.Dataset | None, traces: Sequence[Trace] = TRACES, **settings: Any
) -> dsl.Metrics:
    with write_artifact(folder / "traces", "traces/1") as writer:
        write_records(writer.folder / "traces.jsonl", traces)
    metrics = dsl.Metrics(uri="metrics")
    report = dsl.HTML(uri=str(folder / "report.html"))
    matrix = dsl.ClassificationMetrics(uri="classification")
    labeled = dsl.Dataset(uri=str(folder / "labeled"))
    shards = [dsl.Dataset(uri=str(folder / "traces"))]
    run(shards, json.dumps(settings), "", labeled, metrics, matrix, report, question_set=asked)
    return metrics


def test_contaminated_traces_are_kept_apart_listed_and_counted(tmp_path: Path) -> None:
    metrics = label(tmp_path, question_set(tmp_path / "set"))
    labeled = open_artifact(tmp_path / "labeled", "labeled_traces/1")
    kept = list(read_records(labeled.path("traces.jsonl"), LabeledTrace))
    apart = list(read_records(labeled.path("contaminated_traces.jsonl"), LabeledTrace))
    assert [one.question.id for one in kept] == ["clean"]
    assert [one.question.id for one in apart] == ["reply", "answer", "wrong", "system", "left out"]
    assert {(one.trained, one.reason) for trace in apart for one in trace.labels} == {(False, CONTAMINATED)}
    hits = list(read_records(labeled.path("contamination.jsonl"), ContaminationHit))
    assert [(one.row, one.suite, one.item, one.where, one.words) for one in hits] == [
        ("reply#0", "bfcl:multiple", "s", "message 3 (tool)", 17),
        ("answer#0", "validation", "v", "message 4 (assistant)", 5),
        ("wrong#0", "held_out", "h", "message 2 (assistant)", 8),
        ("system#0", "bfcl:multiple", "s", "message 0 (system)", 17),
        ("left out#0", "bfcl:multiple", "l", "message 3 (tool)", 7),
    ]
    assert set(labeled.manifest.lineage) == {"traces_0", "question_set"}
    report = json.loads(labeled.path("report.json").read_text())
    assert report["contaminated"] == {"bfcl:multiple": 3, "held_out": 1, "validation": 1}
    assert report["trained_traces"] + sum(report["trace_reasons"].values()) == report["traces"] == 6
    assert report["trace_reasons"] == {CONTAMINATED: 5}
    assert (metrics.metadata["contaminated_traces"], metrics.metadata["contaminated_held_out"]) == (5, 1)
    page = (tmp_path / "report.html").read_text()
    assert "compared with 4 questions" in page
    assert "<td>bfcl:multiple</td>" in page


def test_a_prompt_that_all_traces_share_is_named_where_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = question_set(tmp_path / "set")
    label(tmp_path / "some", asked)
    assert "is left" not in capsys.readouterr().out
    metrics = label(tmp_path / "all", asked, [holding(LONG, name, 0) for name in ("a", "b")])
    assert metrics.metadata["contaminated_traces"] == 2
    assert (
        "none of 2 traces is left; a#0: message 0 (system): holds 17 words of s of bfcl:multiple"
        in capsys.readouterr().out
    )


def test_they_can_be_listed_only(tmp_path: Path) -> None:
    label(tmp_path, question_set(tmp_path / "set"), on_contamination="list")
    labeled = open_artifact(tmp_path / "labeled", "labeled_traces/1")
    assert len(list(read_records(labeled.path("traces.jsonl"), LabeledTrace))) == 6
    assert len(list(read_records(labeled.path("contamination.jsonl"), ContaminationHit))) == 5
    assert labeled.path("contaminated_traces.jsonl").read_bytes() == b""


def test_they_can_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^reply#0: message 3 \(tool\): holds 17 words of s of bfcl:multiple"
    ):
        label(tmp_path, question_set(tmp_path / "set"), on_contamination="fail")
    assert not (tmp_path / "labeled").exists()


def test_ingest_s_number_of_words_holds_here_too(tmp_path: Path) -> None:
    label(tmp_path, question_set(tmp_path / "set", words=0))
    labeled = open_artifact(tmp_path / "labeled", "labeled_traces/1")
    assert labeled.path("contamination.jsonl").read_bytes() == b""


def test_question_sets_without_suites_are_compared_with_what_they_have(tmp_path: Path) -> None:
    metrics = label(tmp_path, question_set(tmp_path / "set", sides=("held_out",)))
    assert metrics.metadata["contaminated_traces"] == 1


def test_without_a_question_set_nothing_is_compared_and_the_report_says_so(tmp_path: Path) -> None:
    assert label(tmp_path, None).metadata["contaminated_traces"] == 0
    assert "compared with no\nbenchmark" in (tmp_path / "report.html").read_text()


def test_another_artifact_is_named(tmp_path: Path) -> None:
    with write_artifact(tmp_path / "other", "traces/1"):
        pass
    with pytest.raises(InputError, match=r"questions/1.*traces/1"):
        label(tmp_path, dsl.Dataset(uri=str(tmp_path / "other")))
