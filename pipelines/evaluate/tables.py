"""What `whetstone evaluate` prints in the end: a row a suite, and the differences to another model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from components.contracts.artifacts import MANIFEST, read_manifest
from components.contracts.errors import InputError
from pipelines.figures import difference_and_interval, percent

TASKS = EVALUATION, AGAINST = "evaluation", "evaluation-2"
BFCL_PARTS = ("overall", "non_live", "live", "multi_turn", "relevance", "irrelevance")


def print_evaluation(console: Console, folder: Path) -> None:
    """The tables of a folder of `pipelines.evaluate.run`, and where its reports lie.

    Raises:
        InputError: its evaluation is not finished.
    """
    judged = [task for task in TASKS if (folder / task / "evaluation" / MANIFEST).is_file()]
    if EVALUATION not in judged:
        raise InputError(
            f"{folder}: its evaluation is not finished; expected the same `whetstone evaluate` again, --out {folder}"
        )
    names = {task: title_of(folder / task / "evaluation") for task in judged}
    for task, name in names.items():
        summary = json.loads((folder / task / "evaluation" / "summary.json").read_text(encoding="utf-8"))
        print_suites(console, name, summary)
    comparison = folder / "comparison.json"
    if comparison.is_file():
        found = json.loads(comparison.read_text(encoding="utf-8"))
        before, after = names[AGAINST], names[EVALUATION]
        console.print(difference_table(before, after, found))
    for task in names:
        console.print(f"report: {folder / task / 'report.html'}", highlight=False, soft_wrap=True)


def print_suites(console: Console, title: str, summary: Mapping[str, Any]) -> None:
    """The table of one evaluation's suites, and what stands beside it. summary: its summary.json."""
    console.print(suite_table(title, summary["suites"]))
    for suite, found in summary["suites"].items():
        if executed := found.get("executed"):
            console.print(
                f"{suite}, calls executed: {executed['correct']} of {executed['questions']} right; "
                f"not executable: {executed['not_executable']}",
                highlight=False,
            )
    for version, scores in summary.get("bfcl_scores", {}).items():
        for line in bfcl_lines(version, scores):
            console.print(line, highlight=False)


def bfcl_lines(version: str, scores: Mapping[str, Any]) -> Sequence[str]:
    """The sums of a version that can be given, and whether all questions are in them; where `overall` can't be, why."""
    known = [f"{part} {percent(scores[part])}" for part in BFCL_PARTS if scores[part] is not None]
    if not known:
        return ()
    sums = f"BFCL {version}: {', '.join(known)}".replace("_", " ")
    few = scores.get("partial", ())
    sums += f"; fewer than all questions were judged of {', '.join(few)}" if few else ""
    return [line for line in (sums, scores.get("no_overall", "")) if line]


def title_of(evaluation: Path) -> str:
    """What an `evaluation/1` calls its policy; the folder where its manifest is gone."""
    known = read_manifest(evaluation).details if (evaluation / MANIFEST).is_file() else {}
    return str(known.get("title") or evaluation)


def suite_table(title: str, suites: Mapping[str, Any]) -> Table:
    """A row a suite: questions, accuracy, interval, parse failures, seconds."""
    table = _table(f"{title}, in percent")
    for header in ("n", "accuracy", "95 % interval", "parse failures", "seconds"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, suite in suites.items():
        interval = suite["interval"]
        table.add_row(
            name,
            str(suite["questions"]),
            percent(suite["accuracy"]),
            f"{percent(interval['low'])} to {percent(interval['high'])}",
            str(suite["parse_failures"]),
            f"{suite['seconds']:.1f}",
        )
    return table


def difference_table(before: str, after: str, compared: Mapping[str, Any]) -> Table:
    """A row a suite: accuracy of both, and the paired difference in points. compared: what promotion's command wrote."""
    table = _table(f"{after} against {before}, the same questions, accuracy in percent")
    interval = f"{100 * compared['confidence']:g} % interval" if "confidence" in compared else "interval"
    for header in ("n", before, after, "difference", interval):
        table.add_column(header, justify="right")
    for name, suite in compared["suites"].items():
        accuracy = suite["rates"]["accuracy"]
        difference = accuracy["difference"]
        table.add_row(
            name,
            str(suite["questions"]),
            percent(accuracy["before"]),
            percent(accuracy["after"]),
            *difference_and_interval(difference),
        )
    return table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("suite", no_wrap=True)
    return table
