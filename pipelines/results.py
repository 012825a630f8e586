"""The results of a run on the terminal: before, after, difference, and the error mix."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from rich import box
from rich.console import Console
from rich.table import Table

from components.contracts.errors import InputError

METRICS = {
    "accuracy": "accuracy",
    "exact_match": "EM",
    "invoke_rate": "invoke rate",
    "pass_rate": "pass rate",
    "answerable_rate": "answerable rate",
}
NOT_GROUPS = frozenset({"tools", "errors_before", "errors_after", "seconds"})
FIRST_GROUPS = ("overall", "needs_tool", "no_tool")


def read_summary(folder: Path) -> dict[str, Any]:
    """summary.json of a run's folder.

    Raises:
        InputError: the folder holds no summary.json, or it is not a JSON object.
    """
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{folder}: no summary.json; expected the folder of a run that succeeded") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    if not isinstance(summary, dict):
        raise InputError(f"{path}: expected a JSON object")
    return cast(dict[str, Any], summary)


def print_results(console: Console, folder: Path) -> None:
    """The tables of a run, and where its report lies."""
    summary = read_summary(folder)
    table = Table(
        title="Before and after, in percent", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for header in ("questions", "metric"):
        table.add_column(header, no_wrap=header == "metric")
    for header in ("before", "after", "difference", "95 % interval"):
        table.add_column(header, justify="right", no_wrap=True)
    for group, metrics in groups(summary):
        rows = [(label, metrics[name]) for name, label in METRICS.items() if _has_value(metrics.get(name))]
        for index, (label, metric) in enumerate(rows):
            table.add_row(
                group if index == 0 else "",
                label,
                _percent(metric.get("before")),
                _percent(metric.get("after")),
                *_difference(metric.get("difference")),
                end_section=index == len(rows) - 1,
            )
    console.print(table)
    console.print(_errors(summary))
    seconds = summary.get("seconds")
    if seconds is not None:
        console.print(f"{seconds:.0f} seconds in all", highlight=False)
    report = os.path.relpath(folder / "report.html")
    console.print(f"report: {report}", highlight=False, markup=False, soft_wrap=True)


def groups(summary: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and metrics of each group of questions: all, the two sums, each kind, then each tool."""
    kinds = sorted(set(summary) - NOT_GROUPS - set(FIRST_GROUPS))
    for name in (*FIRST_GROUPS, *kinds):
        if isinstance(summary.get(name), dict):
            yield name.replace("_", " "), summary[name]
    for tool, metrics in sorted(summary.get("tools", {}).items()):
        yield f"tool {tool}", metrics


def _has_value(metric: Any) -> bool:
    return isinstance(metric, dict) and any(metric.get(side) is not None for side in ("before", "after"))


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _difference(difference: Mapping[str, float] | None) -> tuple[str, str]:
    if not difference or difference.get("mean") is None:
        return "-", "-"
    mean, low, high = (100 * difference[key] for key in ("mean", "low", "high"))
    return f"{mean:+.1f}", f"{low:+.1f} to {high:+.1f}"


def _errors(summary: Mapping[str, Any]) -> Table:
    before, after = summary.get("errors_before", {}), summary.get("errors_after", {})
    table = Table(title="Failed calls by error", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("error")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    happened = {name for counts in (before, after) for name, count in counts.items() if count}
    for error in sorted(happened, key=lambda name: (-before.get(name, 0), name)):
        table.add_row(error.replace("_", " "), str(before.get(error, 0)), str(after.get(error, 0)))
    if not table.row_count:
        table.add_row("none", "0", "0")
    return table
