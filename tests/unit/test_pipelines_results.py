"""The tables at the end of a run, and the folder that `runs/latest` points at."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.ablation.settings import HEADERS
from components.contracts.artifacts import write_artifact
from components.contracts.errors import InputError
from components.evaluation.summary import summarize
from pipelines.local.results import TOOL_HELP, print_results, read_summary
from pipelines.local.run import RunFolder
from tests.judged_bfcl import judged_items

METRIC = {"before": 0.25, "after": 0.75, "difference": {"mean": 0.5, "low": 0.4, "high": 0.6}}
SUMMARY: dict[str, Any] = {
    "overall": {"accuracy": METRIC, "exact_match": METRIC, "called_share": METRIC},
    "needs_tool": {"invoke_rate": METRIC},
    "no_tool": {"accuracy": METRIC},
    "arithmetic": {"pass_rate": {"before": None, "after": 1.0, "difference": None}},
    "tools": {"calculator": {"answerable_rate": METRIC}},
    "errors_before": {"parse_failure": 4, "timeout": 0},
    "errors_after": {"parse_failure": 1},
    "seconds": 61.4,
}


def results(folder: Path, summary: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (folder / "report.html").write_text("<p>report</p>", encoding="utf-8")


def test_tables(tmp_path: Path) -> None:
    results(tmp_path, SUMMARY)
    console = Console(record=True, width=100, force_terminal=False)
    print_results(console, tmp_path)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    parts = "\n".join(lines).split("\n\n")
    sections = {part.splitlines()[0]: part.splitlines()[1:] for part in parts if part}
    assert "accuracy 25.0 75.0 +50.0 +40.0 to +60.0" in lines[lines.index("overall") :]
    assert "invoke rate 25.0 75.0 +50.0 +40.0 to +60.0" in sections["needs tool"]
    assert "pass rate - 100.0 - -" in sections["arithmetic"]
    assert "answerable rate 25.0 75.0 +50.0 +40.0 to +60.0" in sections["tool calculator"]
    assert "parse failure 4 1" in lines
    assert not any("timeout" in line for line in lines)
    assert lines[-1].startswith("report: ")


def test_publishing_adds_the_seconds_and_moves_latest_at_once(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for seconds in (10.0, 20.0):
        folder = RunFolder.create(runs)
        results(folder.path / "results", SUMMARY)
        (folder.path / "results" / "adapter").mkdir()
        assert folder.publish(seconds) == folder.path
        assert read_summary(runs / "latest")["seconds"] == seconds
        assert (runs / "latest" / "report.html").is_file()
        assert (runs / "latest" / "adapter").is_dir()
        assert (runs / "latest").resolve() == folder.path
    assert len(list(runs.iterdir())) == 3


def test_a_run_that_failed_leaves_latest_alone(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    folder = RunFolder.create(runs)
    with pytest.raises(FileNotFoundError):
        folder.publish(1.0)
    assert not (runs / "latest").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no summary.json"), ("{", r"summary\.json:1: not JSON"), ("[]", "expected a JSON object")],
)
def test_folders_without_results(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_summary(tmp_path)


def test_a_file_is_no_folder_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/summary\.json: can't be read"):
        read_summary(tmp_path / "file")


def shown(folder: Path, summary: dict[str, Any]) -> list[str]:
    results(folder, summary)
    console = Console(record=True, width=130, force_terminal=False)
    print_results(console, folder)
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


def test_a_policy_on_the_way_stands_between(tmp_path: Path) -> None:
    calls = {"calls_ts": METRIC, "calls_cf": METRIC}
    stop = {**METRIC, "after": 0.5, "difference": {"mean": 0.25, "low": 0.1, "high": 0.3}}
    between = {"title": "after SFT", "overall": {"calls_ts": stop, "calls_cf": stop}}
    summary = {"overall": {**calls, "accuracy": METRIC}, "between": between, "confidence": 0.9}
    lines = shown(tmp_path, summary)
    assert "metric before after SFT after difference 90 % interval" in lines
    assert "TS 25.0 50.0 75.0 +50.0 +40.0 to +60.0" in lines
    assert "CF 25.0 50.0 75.0 +50.0 +40.0 to +60.0" in lines
    assert not any("accuracy" in line for line in lines)  # it repeats CF


def test_the_table_of_an_ablation(tmp_path: Path) -> None:
    def row(title: str, share: float, difference: Any, sft: float, ppo: float | None) -> dict[str, Any]:
        cell = {"value": share, "difference": difference}
        cells = {name: {"value": None, "difference": None} for name in HEADERS}
        cells |= {"calls_ts": cell, "calls_pi": cell, "calls_cf": cell, "calls_unparsed": cell}
        return {"title": title, "groups": {"overall": cells}, "moved": {"sft": sft, "ppo": ppo}}

    interval = {"mean": 0.125, "low": -0.05, "high": 0.3}
    rows = [row("none", 0.5, None, 1.25, None), row("MAE & IRM", 0.625, interval, 1.5, 0.0123)]
    facts = {"reference": "none", "confidence": 0.9, "trainings": ["SFT", "PPO"]}
    lines = shown(tmp_path, {**facts, "rows": rows, "seconds": 12.3})
    assert "row TS PI CF unparsed SFT moved PPO moved" in lines
    assert "none 50.0 50.0 50.0 50.0 1.25 -" in lines
    assert "MAE & IRM 62.5 62.5 62.5 62.5 1.5 0.0123" in lines
    assert "90 % intervals against 'none', in points" in lines
    assert "row TS PI CF" in lines
    assert "MAE & IRM -5.0 to +30.0 -5.0 to +30.0 -5.0 to +30.0" in lines
    assert not any("accuracy" in line for line in lines)
    assert any("One seed" in line for line in lines)


def test_the_table_of_a_grid_is_cut_into_two(tmp_path: Path) -> None:
    names = ("accuracy", "exact_match", "invoke_rate", "pass_rate", "answerable_rate", "called_share")
    names += ("overuse", "harmed", "underuse", "rescued")
    cells = {name: {"value": 0.25, "difference": None} for name in names}
    row = {"title": "DPO response", "groups": {"overall": cells}, "moved": {"sft": 0.0, "dpo": 0.5}}
    facts = {"reference": "DPO response", "confidence": 0.95, "trainings": ["SFT", "DPO"]}
    lines = shown(tmp_path, {**facts, "rows": [row]})
    assert "row accuracy EM IR PR AR called overuse" in lines
    assert "row harmed underuse rescued SFT moved DPO moved" in lines
    assert "DPO response 25.0 25.0 25.0 0 0.5" in lines


def test_rounds_are_told_with_the_places_of_plot_and_numbers(tmp_path: Path) -> None:
    by_round = [
        {"number": 0, "title": "base model", "accuracy": 0.25, "invoke_rate": 0.5, "verdict": "the start"},
        {"number": 1, "title": "round 1", "accuracy": 0.5, "invoke_rate": None, "verdict": "better"},
    ]
    results(tmp_path / "rounds", {"rounds": 1, "noun": "iteration", "best": 1, "by_round": by_round})
    lines = shown(tmp_path, SUMMARY)
    assert "Iterations, on the validation questions, in percent" in lines
    assert "iteration accuracy invoke rate verdict" in lines
    assert "base model 25.0 50.0 the start" in lines
    assert "round 1 (best) 50.0 - better" in lines
    assert lines[-3].endswith("rounds/report.html")
    assert lines[-2].endswith("rounds/summary.json")
    assert lines[-1].startswith("report: ")


def test_when_tools_help_is_told_over_all_questions(tmp_path: Path) -> None:
    sides = {side: {"count": 1, "share": share} for side, share in (("before", 0.25), ("after", 0.5))}
    entry = {**sides, "difference": {"mean": 0.25, "low": 0.0, "high": 0.5}}
    names = ("overuse", "harmed", "rescued", "underuse")
    helped = {"questions": 8, "known": 2, **dict.fromkeys(names, entry)}
    lines = shown(tmp_path, {**SUMMARY, "tool_help": {"overall": helped}})
    assert any("2 of 8 questions are known without" in line for line in lines)
    assert "rescued: not known, called, right 25.0 50.0 +25.0 +0.0 to +50.0" in lines


def test_intervals_are_as_sure_as_the_settings_said_in_every_table(tmp_path: Path) -> None:
    helped = {name: {side: {"share": 0.25} for side in ("before", "after")} for name in TOOL_HELP}
    for one in helped.values():
        one["difference"] = METRIC["difference"]
    one = {"questions": 3, "role": "", "accuracy": METRIC}
    summary = {
        **SUMMARY,
        "confidence": 0.8,
        "tool_help": {"overall": {"known": 1, "questions": 2, **helped}},
        "suites": {"held_out": one, "popqa": one},
        "all_suites": one,
    }
    lines = shown(tmp_path, summary)
    assert sum("80 % interval" in line for line in lines) == 3
    assert not any("95 % interval" in line for line in lines)
    assert not any(line == "confidence" for line in lines)  # it is no group of questions


def judge(folder: Path, title: str, suites: dict[str, tuple[int, int]]) -> None:
    """An evaluation/1 with the real summary of items, `right` of so many by suite."""
    items = list(judged_items(suites))
    with write_artifact(folder / "evaluation", "evaluation/1") as writer:
        summary = summarize(items, {}, no_tool_kinds=())
        (writer.folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        writer.details["title"] = title
    (folder / "report.html").touch()


def test_an_evaluation_of_several_suites_is_reported_like_a_run(tmp_path: Path) -> None:
    judge(tmp_path / "evaluation", "mine", {"bfcl:multiple": (1, 2), "popqa": (1, 4)})
    console = Console(record=True, width=130, force_terminal=False)
    print_results(console, tmp_path / "evaluation" / "evaluation")
    said = console.export_text()
    assert "mine, in percent" in said
    assert [
        line.split()[:3] for line in said.splitlines() if line.strip().startswith(("bfcl:", "popqa"))
    ] == [
        ["bfcl:multiple", "2", "50.0"],
        ["popqa", "4", "25.0"],
    ]


def test_the_folder_of_whetstone_evaluate_is_reported(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"its evaluation is not finished; expected the same .* --out "):
        print_results(Console(), tmp_path)
    suites = {"bfcl:multiple": (1, 2), "bfcl:live_relevance": (2, 4)}
    judge(tmp_path / "evaluation", "mine", suites)
    judge(tmp_path / "evaluation-2", "the other", suites)
    accuracy = {"rates": {"accuracy": METRIC}, "questions": 2}
    compared = {"suites": {"bfcl:multiple": accuracy}, "confidence": 0.9}
    (tmp_path / "comparison.json").write_text(json.dumps(compared), encoding="utf-8")
    console = Console(record=True, width=160, force_terminal=False)
    print_results(console, tmp_path)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "mine against the other, the same questions, accuracy in percent" in lines
    assert "suite n the other mine difference 90 % interval" in lines
    assert (
        "BFCL v4: relevance 50.0; fewer than all questions were judged of multiple, live_relevance" in lines
    )
    assert sum(one.startswith("BFCL v4 has no overall here: 40 % of it are web search") for one in lines) == 2
    assert "not judged: simple_python, simple_java" in " ".join(lines)
    assert len(lines) < 40
    assert [line for line in lines if line.startswith("report: ")] == [
        f"report: {tmp_path / task / 'report.html'}" for task in ("evaluation", "evaluation-2")
    ]
