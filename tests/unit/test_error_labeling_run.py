"""The stage on artifact folders: everything in comes out, labeled and counted."""

import json
from pathlib import Path

import pytest
from kfp import dsl

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import LabeledTrace, Trace
from components.contracts.tool_errors import ToolError
from components.error_labeling import selection
from components.error_labeling.__main__ import main
from components.error_labeling.run import run
from tests.traces import make_trace


def write_shard(folder: Path, traces: list[Trace], schema: str = "traces/1") -> dsl.Dataset:
    with write_artifact(folder, schema) as writer:
        writer.counts["traces"] = write_records(writer.folder / "traces.jsonl", traces)
    return dsl.Dataset(uri=str(folder))


def label(
    shards: list[dsl.Dataset],
    folder: Path,
    settings: str = "",
    store: str = "",
    trajectories: dsl.Dataset | None = None,
    overrides: str = "{}",
    classification: dsl.ClassificationMetrics | None = None,
) -> dsl.Metrics:
    metrics = dsl.Metrics(uri=str(folder / "metrics"))
    report = dsl.HTML(uri=str(folder / "report.html"))
    matrix = classification or dsl.ClassificationMetrics(uri=str(folder / "classification"))
    labeled = dsl.Dataset(uri=str(folder / "labeled"))
    run(shards, settings, store, labeled, metrics, matrix, report, trajectories, overrides)
    return metrics


def foreign(trace: Trace, *replies: str) -> Trace:
    """The trace as somebody else's: not judged, and its replies without codes."""
    calls = [
        call.model_copy(update={"reply": call.reply.model_copy(update={"content": text, "error": None})})
        for call, text in zip(trace.calls, replies, strict=True)
    ]
    outcome = trace.outcome.model_copy(update={"correct": None})
    return trace.model_copy(update={"calls": tuple(calls), "outcome": outcome, "model": ""})


def test_every_trace_comes_out_labeled_and_counted(tmp_path: Path) -> None:
    first = [
        make_trace("a", 0, errors=(None,)),
        make_trace("a", 1, errors=(ToolError.PARSE_FAILURE, None)),
        make_trace("b", 0, correct=False, errors=(ToolError.TOOL_INSTABILITY,), kind="places"),
    ]
    second = [
        make_trace("c", 0, text="same"),
        make_trace("c", 1, text="same"),
        make_trace("d", 0, finish="length"),
    ]
    shards = [write_shard(tmp_path / "0", first), write_shard(tmp_path / "1", second)]
    metrics = label(shards, tmp_path)

    labeled = open_artifact(tmp_path / "labeled", "labeled_traces/1")
    traces = list(read_records(labeled.path("traces.jsonl"), LabeledTrace))
    assert [trace.id for trace in traces] == [trace.id for trace in first + second]
    for given, found in zip(first + second, traces, strict=True):
        assert Trace.model_validate(found.model_dump(exclude={"labels"})) == given
    assert [[found.trained for found in trace.labels] for trace in traces] == [
        [True, True], [False, True, True], [False, False], [True], [False], [False]
    ]  # fmt: skip
    assert set(labeled.manifest.lineage) == {"traces_0", "traces_1"}

    report = json.loads(labeled.path("report.json").read_text())
    assert report["traces"] == 6
    assert report["trained_traces"] + sum(report["trace_reasons"].values()) == report["traces"]
    assert report["trained_turns"] + sum(report["turn_reasons"].values()) == report["turns"]
    assert report["duplicates"] == 1
    assert report["trace_reasons"] == {selection.WRONG: 1, selection.DUPLICATE: 1, selection.CUT_OFF: 1}
    assert report["errors"]["parse_failure"] == report["errors"]["tool_instability"] == 1
    assert set(report["errors"]) == {error.value for error in ToolError}
    assert report["errors_by_tool"] == {
        "(unreadable)": {"parse_failure": 1},
        "calculator": {"ok": 2, "tool_instability": 1},
    }
    assert report["kinds"]["places"] == {"traces": 1, "correct": 0, "trained": 0, "trained_with_calls": 0}
    assert metrics.metadata["trained_traces"] == 3
    assert metrics.metadata["error_parse_failure"] == 1


def test_no_traces_give_no_labels_and_no_error(tmp_path: Path) -> None:
    """As in rounds whose practice is off."""
    shards = [write_shard(tmp_path / name, []) for name in ("0", "1")]
    metrics = label(shards, tmp_path, '{"preset": "demo", "exports": ["openai", "axolotl", "ms_swift"]}')
    labeled = open_artifact(tmp_path / "labeled", "labeled_traces/1")
    assert labeled.path("traces.jsonl").read_bytes() == b""
    assert metrics.metadata["traces"] == labeled.manifest.counts["traces"] == 0
    assert json.loads(labeled.path("report.json").read_text())["trained_traces"] == 0
    assert (tmp_path / "report.html").is_file()


def test_the_payload_goes_to_the_store(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "0", [make_trace()])
    label([shard], tmp_path, store=str(tmp_path / "store"))
    assert not (tmp_path / "labeled" / "traces.jsonl").exists()
    assert open_artifact(tmp_path / "labeled", "labeled_traces/1").manifest.payload


def test_names_from_a_model_are_escaped_in_the_report(tmp_path: Path) -> None:
    label([write_shard(tmp_path / "0", [make_trace(kind="<script>alert(1)</script>")])], tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_wrong_artifact_is_named_with_the_right_one(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "0", [make_trace()], schema="evaluation/1")
    with pytest.raises(InputError, match=r"traces/1.*evaluation/1"):
        label([shard], tmp_path)
    assert not (tmp_path / "labeled").exists()


def test_a_trace_that_comes_twice_is_refused(tmp_path: Path) -> None:
    shards = [write_shard(tmp_path / name, [make_trace("a", 3)]) for name in ("0", "1")]
    with pytest.raises(InputError, match="'a#3'"):
        label(shards, tmp_path)
    assert not (tmp_path / "labeled").exists()


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    with write_artifact(tmp_path / "0", "traces/1") as writer:
        good = make_trace().model_dump_json()
        (writer.folder / "traces.jsonl").write_text(f"{good}\n{{}}\n")
    with pytest.raises(InputError, match=r"traces\.jsonl:2: id"):
        label([dsl.Dataset(uri=str(tmp_path / "0"))], tmp_path)
    assert not (tmp_path / "labeled").exists()


def test_a_report_that_can_t_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "report.html").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"report\.html: can't be written: No space left on device$"):
        label([write_shard(tmp_path / "0", [make_trace()])], tmp_path)


def test_unknown_setting_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="prefer_fewest_calls"):
        label([], tmp_path, settings='{"prefer_fewer_calls": true}')


def test_from_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = write_shard(tmp_path / "0", [make_trace()])
    assert main(["--traces", shard.uri, "--output", str(tmp_path / "out")]) == 0
    assert "trained_traces\t1" in capsys.readouterr().out
    assert (tmp_path / "out" / "labeled" / "report.json").is_file()
    assert main(["--traces", str(tmp_path), "--output", str(tmp_path / "other")]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_foreign_trajectories_are_labelled_by_their_words(tmp_path: Path) -> None:
    bad = foreign(make_trace("f", errors=(None, None)), "Unknown parameter: expression", "4")
    good = foreign(make_trace("g", errors=(None,)), "4")
    own = write_shard(tmp_path / "0", [make_trace("a", errors=(ToolError.TIMEOUT, None))])
    brought = write_shard(tmp_path / "brought", [bad, good])
    matrix = dsl.ClassificationMetrics(uri="classification")
    label(
        [own], tmp_path, '{"preset": "tl-training"}', trajectories=brought, classification=matrix,
        overrides='{"exports": ["openai", "ms_swift", "axolotl"]}',
    )  # fmt: skip
    labeled = open_artifact(tmp_path / "labeled", "labeled_traces/1")
    traces = {trace.id: trace for trace in read_records(labeled.path("traces.jsonl"), LabeledTrace)}
    assert [(one.trained, one.error) for one in traces["f#0"].labels] == [
        (False, ToolError.PARAMETER_HALLUCINATION), (True, None), (True, None)
    ]  # fmt: skip
    assert all(one.trained for one in traces["g#0"].labels)
    assert set(labeled.manifest.lineage) == {"traces_0", "trajectories"}
    settings = labeled.manifest.details["settings"]
    assert isinstance(settings, dict)
    assert settings["feedback"] == "classified"
    for name in ("openai", "ms_swift", "axolotl"):
        assert len(labeled.path(f"{name}.jsonl").read_text().splitlines()) == 3
    report = json.loads(labeled.path("report.json").read_text())
    assert report["traces_with_calls"] == 3
    assert report["traces_by_error"]["all right"] == 1
    assert report["traces_by_error"]["parameter_hallucination"] == report["traces_by_error"]["timeout"] == 1
    # Only our own calls have codes: one timed out ("Error: no" does not say so), one passed.
    assert report["classifier"]["calls"] == 2
    confusion = matrix.metadata["confusionMatrix"]
    names = [one["displayName"] for one in confusion["annotationSpecs"]]
    rows = dict(zip(names, (row["row"] for row in confusion["rows"]), strict=True))
    assert rows["timeout"][names.index("tool_call_failure")] == 1
    assert rows["no error"][names.index("no error")] == 1


def test_masking_turned_off_keeps_the_category(tmp_path: Path) -> None:
    bad = foreign(make_trace("f", errors=(None,)), "Unknown parameter: expression")
    label(
        [], tmp_path, '{"preset": "demo_calls"}', trajectories=write_shard(tmp_path / "t", [bad]),
        overrides='{"mask_errors": false}',
    )  # fmt: skip
    labeled = open_artifact(tmp_path / "labeled", "labeled_traces/1")
    (trace,) = read_records(labeled.path("traces.jsonl"), LabeledTrace)
    assert [(one.trained, one.error) for one in trace.labels] == [
        (True, ToolError.PARAMETER_HALLUCINATION), (True, None)
    ]  # fmt: skip


def test_without_codes_the_report_says_so_instead_of_an_empty_matrix(tmp_path: Path) -> None:
    trace = foreign(make_trace("f", errors=(None,)), "503 Service Unavailable")
    matrix = dsl.ClassificationMetrics(uri="classification")
    label(
        [],
        tmp_path,
        '{"preset": "tl-training"}',
        trajectories=write_shard(tmp_path / "t", [trace]),
        classification=matrix,
    )
    assert "confusionMatrix" not in matrix.metadata
    page = (tmp_path / "report.html").read_text()
    assert "could not be measured" in page
    assert "tool instability" in page
    assert "1 (100.0 %)" in page


def test_replies_that_the_default_does_not_read_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = foreign(make_trace("f", errors=(None,)), "503 Service Unavailable")
    brought = write_shard(tmp_path / "t", [trace])
    label([], tmp_path, "", trajectories=brought)
    assert "1 replies without a code were not read" in capsys.readouterr().out
    assert "were not read" in (tmp_path / "report.html").read_text()
    label([], tmp_path / "read", '{"preset": "tl-training"}', trajectories=brought)
    assert "not read" not in capsys.readouterr().out


def test_nothing_to_label_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path / "out")]) == 2
    assert "nothing to label" in capsys.readouterr().err
