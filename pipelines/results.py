"""The results of a run on the terminal: before, after, difference and the error mix, or an ablation's table."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from rich import box
from rich.console import Console
from rich.table import Table

from components.contracts.errors import InputError

# Those of calls against golds first: where they are defined, accuracy repeats CF.
CALL_METRICS = {
    "calls_ts": "TS",
    "calls_pi": "PI",
    "calls_cf": "CF",
    "calls_unparsed": "unparsed",
    "calls_no_call": "no call",
}
METRICS = {
    "accuracy": "accuracy",
    "exact_match": "EM",
    "invoke_rate": "invoke rate",
    "pass_rate": "pass rate",
    "answerable_rate": "answerable rate",
}
ABLATION_METRICS = {
    **CALL_METRICS,
    "executed_de": "DE",
    "executed_ce": "CE",
    "executed_va": "VA",
    "accuracy": "accuracy",
}
NOT_GROUPS = frozenset({"tools", "errors_before", "errors_after", "seconds", "between"})
FIRST_GROUPS = ("overall", "needs_tool", "no_tool")
INTERVALS_A_TABLE = 3


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
    if "rows" in summary:
        for table in _ablation_tables(summary):
            console.print(table)
        console.print("One seed a row. Moved: Frobenius norm of the weights' change.", highlight=False)
    else:
        console.print(_comparison_table(summary))
        console.print(_errors(summary))
    seconds = summary.get("seconds")
    if seconds is not None:
        console.print(f"{seconds:.0f} seconds in all", highlight=False)
    report = os.path.relpath(folder / "report.html")
    console.print(f"report: {report}", highlight=False, markup=False, soft_wrap=True)


def _comparison_table(summary: Mapping[str, Any]) -> Table:
    """Before and after by group; with a policy on the way between them, where the summary has one."""
    between = summary.get("between")
    headers = ["before", "after", "difference", "95 % interval"]
    if between:
        headers = ["before", str(between["title"]), "95 % interval", "after", "95 % interval"]
    table = _table("Before and after, in percent", ["questions", "metric"], headers)
    ways = dict(groups(between)) if between else {}
    for group, metrics in groups(summary):
        rows = [(name, label, metrics[name]) for name, label in _shown(metrics).items()]
        for index, (name, label, metric) in enumerate(rows):
            stop = ways.get(group, {}).get(name, {})
            cells = [_percent(metric.get("before"))]
            cells += [_percent(stop.get("after")), _difference(stop.get("difference"))[1]] if between else []
            cells.append(_percent(metric.get("after")))
            cells += _difference(metric.get("difference"))[1 if between else 0 :]
            table.add_row(group if index == 0 else "", label, *cells, end_section=index == len(rows) - 1)
    return table


def _shown(metrics: Mapping[str, Any]) -> dict[str, str]:
    """The metrics of a group that have a value; those of calls alone where all its questions have golds."""
    calls = {name: label for name, label in CALL_METRICS.items() if _has_value(metrics.get(name))}
    repeats = calls and _sides(metrics.get("accuracy")) == _sides(metrics.get("calls_cf"))
    others = {} if repeats else METRICS
    return calls | {name: label for name, label in others.items() if _has_value(metrics.get(name))}


def _sides(metric: Any) -> tuple[Any, Any]:
    return (metric.get("before"), metric.get("after")) if isinstance(metric, dict) else (None, None)


def _ablation_tables(summary: Mapping[str, Any]) -> Iterator[Table]:
    """Each row's rates and how far it moved, then the intervals against the reference: 80 columns are enough."""
    rows = summary["rows"]
    cells = {row["title"]: row["groups"]["overall"] for row in rows}
    measured = {
        name: label
        for name, label in ABLATION_METRICS.items()
        if any(cell[name]["value"] is not None for cell in cells.values())
    }
    rates = _table("In percent", ["row"], [*measured.values(), "SFT moved", "PPO moved"])
    for row in rows:
        values = [_percent(cells[row["title"]][name]["value"]) for name in measured]
        rates.add_row(row["title"], *values, _norm(row["moved"]["sft"]), _norm(row["moved"]["ppo"]))
    yield rates
    against = f"{100 * summary['confidence']:g} % intervals against {summary['reference']!r}, in points"
    compared = [name for name in measured if name not in ("calls_unparsed", "calls_no_call")]
    for start in range(0, len(compared), INTERVALS_A_TABLE):
        chosen = compared[start : start + INTERVALS_A_TABLE]
        table = _table(None if start else against, ["row"], [measured[name] for name in chosen])
        for title, found in cells.items():
            if title != summary["reference"]:
                table.add_row(title, *(_difference(found[name]["difference"])[1] for name in chosen))
        yield table


def _table(title: str | None, left: list[str], right: list[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in left:
        table.add_column(header, no_wrap=header != "questions")
    for header in right:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _norm(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


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
