"""The tables at the end of a run, and the folder that `runs/latest` points at."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.contracts.errors import InputError
from pipelines.local_run import RunFolder
from pipelines.results import print_results, read_summary

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
    assert "overall accuracy 25.0 75.0 +50.0 +40.0 to +60.0" in lines
    assert "needs tool invoke rate 25.0 75.0 +50.0 +40.0 to +60.0" in lines
    assert "arithmetic pass rate - 100.0 - -" in lines
    assert "tool calculator answerable rate 25.0 75.0 +50.0 +40.0 to +60.0" in lines
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
