"""The stage on artifact folders."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import LabeledTrace, PreferencePair
from components.preferences.__main__ import main
from components.preferences.run import run
from components.preferences.settings import PreferencesSettings
from components.preferences.summary import SHOWN
from components.storage import open_input
from tests.judged_traces import right_with, right_without, write_labeled, wrong_with, wrong_without

TRACES = [
    *(right_with(f"q{number}", 0) for number in range(20)),
    *(wrong_without(f"q{number}", 1, prompt="cot") for number in range(15)),
    *(wrong_without(f"q{number}", 2) for number in range(3)),
    right_without("known", 0),
    wrong_with("known", 1),
]


def pair_up(
    traces: Sequence[LabeledTrace],
    folder: Path,
    settings: str = "",
    *,
    kind: str = "",
    method: str = "",
    store: str = "",
) -> dsl.Metrics:
    metrics = dsl.Metrics(uri=str(folder / "metrics"))
    given = write_labeled(folder / "labeled", list(traces))
    pairs, report = dsl.Dataset(uri=str(folder / "pairs")), dsl.HTML(uri=str(folder / "report.html"))
    run(given, settings, store, pairs, metrics, report, kind, method)
    return metrics


def opened(folder: Path) -> tuple[Artifact, list[PreferencePair]]:
    artifact = open_artifact(folder / "pairs", "preference_pairs/1")
    return artifact, list(read_records(artifact.path("pairs.jsonl"), PreferencePair))


def test_pairs_come_out_and_everything_is_counted(tmp_path: Path) -> None:
    metrics = pair_up(TRACES, tmp_path, method="sft,dpo")
    artifact, pairs = opened(tmp_path)
    assert len(pairs) == 18 == metrics.metadata["pairs"]
    assert len({pair.id for pair in pairs}) == 18
    assert {pair.kind for pair in pairs} == {"masked_conversation"}
    assert artifact.manifest.lineage == {
        "labeled": open_artifact(tmp_path / "labeled", "labeled_traces/1").digest
    }
    counts = artifact.manifest.counts
    assert counts == {
        "pairs": 18,
        "pairs_with_tool": 18,
        "pairs_without_tool": 0,
        "questions": 21,
        "questions_with_pairs": 15,
        "traces": 40,
        "traces_used": 33,
        "dropped_equal_text": 0,
        "dropped_other_origin": 0,
    }
    report = json.loads(artifact.path("report.json").read_text())
    assert report["traces_used"] + sum(report["trace_reasons"].values()) == report["traces"]
    assert report["questions_with_pairs"] + sum(report["question_reasons"].values()) == report["questions"]
    assert (report["chosen_tokens"], report["rejected_tokens"]) == (6, 3)
    settings = PreferencesSettings.model_validate(artifact.manifest.details["settings"])
    assert settings == PreferencesSettings()


def test_both_contrasts(tmp_path: Path) -> None:
    metrics = pair_up(TRACES, tmp_path, '{"contrast": "both"}')
    assert (metrics.metadata["pairs_with_tool"], metrics.metadata["pairs_without_tool"]) == (18, 1)
    _, pairs = opened(tmp_path)
    assert [pair.question_id for pair in pairs] == sorted(pair.question_id for pair in pairs)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_traces_does_not_matter(seed: int, tmp_path: Path) -> None:
    shuffled = list(TRACES)
    random.Random(seed).shuffle(shuffled)
    pair_up(TRACES, tmp_path / "a")
    pair_up(shuffled, tmp_path / "b")
    assert opened(tmp_path / "a")[1] == opened(tmp_path / "b")[1]


def test_the_kind_given_replaces_the_settings(tmp_path: Path) -> None:
    pair_up(TRACES, tmp_path, '{"preset": "demo", "kind": "conversation"}', kind="response")
    artifact, pairs = opened(tmp_path)
    assert {(pair.kind, len(pair.chosen), len(pair.chosen_turns)) for pair in pairs} == {("response", 1, 1)}
    assert PreferencesSettings.model_validate(artifact.manifest.details["settings"]).kind == "response"


@pytest.mark.parametrize("method", ["sft", "none", "ppo"])
def test_off_writes_an_empty_artifact_and_reads_nothing(method: str, tmp_path: Path) -> None:
    metrics = dsl.Metrics(uri="metrics")
    missing = dsl.Dataset(uri=str(tmp_path / "nothing"))
    pairs, report = dsl.Dataset(uri=str(tmp_path / "pairs")), dsl.HTML(uri=str(tmp_path / "report.html"))
    run(missing, "", "", pairs, metrics, report, method=method)
    artifact, found = opened(tmp_path)
    assert found == []
    assert artifact.manifest.counts["pairs"] == metrics.metadata["pairs"] == 0
    assert "Off" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("settings", "kind", "method", "message"),
    [
        ('{"contrasts": "both"}', "", "sft", "did you mean 'contrast'"),
        ("", "step", "", "preferences_settings: kind: .*'step'"),
        ("", "", "dop", "method: unknown 'dop'"),
        ('{"max_pairs_per_question": 0}', "", "", "max_pairs_per_question"),
    ],
)
def test_what_a_user_got_wrong_is_one_line(
    settings: str, kind: str, method: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as error:
        pair_up(TRACES, tmp_path, settings, kind=kind, method=method)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize("preset", PreferencesSettings.presets)
def test_presets_are_valid(preset: str) -> None:
    PreferencesSettings.parse(json.dumps({"preset": preset}))


def test_no_pair_says_what_was_missing_and_what_may_help(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = [right_with("a"), right_with("b"), wrong_without("c")]
    pair_up(traces, tmp_path)
    made = open_artifact(tmp_path / "pairs", "preference_pairs/1").manifest
    assert made.counts["pairs"] == 0
    text = str(made.details["no_pair"])
    assert f"[preferences] NO PAIR: {text}" in capsys.readouterr().out
    assert "2 x no trace is wrong without a call; 1 x no trace is right with a tool" in text
    assert "no_tool_samples" in text
    assert "contrast both" in text
    pair_up([], tmp_path / "empty")
    empty = open_artifact(tmp_path / "empty/pairs", "preference_pairs/1").manifest
    assert "holds no traces" in str(empty.details["no_pair"])


def test_the_wrong_artifact_and_a_bad_line_are_named(tmp_path: Path) -> None:
    outputs = (
        dsl.Dataset(uri=str(tmp_path / "p")),
        dsl.Metrics(uri="metrics"),
        dsl.HTML(uri=str(tmp_path / "r")),
    )
    with write_artifact(tmp_path / "traces", "traces/1"):
        pass
    with pytest.raises(InputError, match=r"labeled_traces/1.*traces/1"):
        run(dsl.Dataset(uri=str(tmp_path / "traces")), "", "", *outputs)
    with write_artifact(tmp_path / "bad", "labeled_traces/1") as writer:
        (writer.folder / "traces.jsonl").write_text(right_with().model_dump_json() + "\n{}\n")
    with pytest.raises(InputError, match=r"traces\.jsonl:2: id"):
        run(dsl.Dataset(uri=str(tmp_path / "bad")), "", "", *outputs)


def test_the_payload_goes_to_the_store(tmp_path: Path) -> None:
    pair_up(TRACES, tmp_path, store=str(tmp_path / "store"))
    assert not (tmp_path / "pairs" / "pairs.jsonl").exists()
    fetched = open_input(tmp_path / "pairs", "preference_pairs/1", str(tmp_path / "store"))
    assert len(list(read_records(fetched.path("pairs.jsonl"), PreferencePair))) == 18


def test_the_page_shows_some_pairs_and_escapes_them(tmp_path: Path) -> None:
    first = wrong_without("a", 1)
    loud = first.messages[-1].model_copy(update={"content": "<b>5</b>"})
    first = first.model_copy(update={"messages": (*first.messages[:-1], loud)})
    pair_up([right_with("a"), first, *TRACES], tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<b>5</b>" not in page
    assert "&lt;b&gt;5&lt;/b&gt;" in page
    assert 1 <= page.count("<section>") <= SHOWN
    assert "no trace is wrong without a call" in page


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = write_labeled(tmp_path / "labeled", TRACES)
    options = ["--labeled", str(given.path), "--kind", "response", "--output", str(tmp_path / "out")]
    assert main(options) == 0
    assert "pairs\t18\n" in capsys.readouterr().out
    assert (tmp_path / "out" / "report.html").is_file()
    assert main([*options, "--kind", "whole"]) == 2
    assert "kind" in capsys.readouterr().err
