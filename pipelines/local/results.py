"""The results of a run on the terminal: before, after, difference and the error mix; rounds; an ablation's table."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from rich import box
from rich.console import Console
from rich.table import Table

from components.ablation.settings import HEADERS
from components.contracts.errors import InputError
from components.contracts.records import Difficulty
from pipelines.evaluate.folder import REQUEST
from pipelines.evaluate.tables import print_evaluation, print_suites, title_of
from pipelines.figures import difference_and_interval, percent

# Those of calls against golds first: where they are defined, accuracy repeats CF.
CALL_METRICS = {name: label for name, label in HEADERS.items() if name.startswith("calls_")}
METRICS = {
    "accuracy": "accuracy",
    "exact_match": "EM",
    "invoke_rate": "invoke rate",
    "pass_rate": "pass rate",
    "answerable_rate": "answerable rate",
}
TOOL_HELP = {
    "overuse": "overuse: known, called",
    "harmed": "  harmed: and wrong",
    "rescued": "rescued: not known, called, right",
    "underuse": "underuse: not known, not called",
}
NOT_GROUPS = frozenset(
    {"tools", "errors_before", "errors_after", "seconds", "between", "tool_help"}
    | {"questions", "decision", "suites", "all_suites", "confidence"}
)
FIRST_GROUPS = ("overall", "needs_tool", "no_tool")
RATES_A_TABLE = 7
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
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {error}; expected the folder of a run") from error
    if not isinstance(summary, dict):
        raise InputError(f"{path}: expected a JSON object")
    return cast(dict[str, Any], summary)


def print_results(console: Console, folder: Path) -> None:
    """The tables of a run, and where its report lies; so too of `whetstone evaluate`'s folder and of an evaluation.

    Raises:
        InputError: as `read_summary`, or `print_evaluation`.
    """
    if (folder / REQUEST).is_file():
        print_evaluation(console, folder)
        return
    summary = read_summary(folder)
    if "overall" in summary and "errors" in summary:  # one evaluation's, which compares nothing
        print_suites(console, title_of(folder), summary)
        return
    if "rows" in summary:
        for table in _row_tables(summary):
            console.print(table)
        console.print("One seed a row. Moved: Frobenius norm of the weights' change.", highlight=False)
    else:
        console.print(_comparison_table(summary))
        if "decision" in summary:
            console.print(_decision(summary["decision"]), highlight=False, markup=False)
        if len(summary.get("suites", ())) > 1:
            console.print(_suites_table(summary))
        console.print(_errors(summary))
        if "tool_help" in summary:
            console.print(_help_table(summary["tool_help"]["overall"], _interval(summary)))
    if (folder / "table").is_dir():
        for table in _row_tables(read_summary(folder / "table")):
            console.print(table)
    rounds = folder / "rounds"
    if rounds.is_dir():
        console.print(_rounds_table(read_summary(rounds)))
    seconds = summary.get("seconds")
    if seconds is not None:
        console.print(f"{seconds:.0f} seconds in all", highlight=False)
    for name, place in {
        "plot of the rounds": rounds / "report.html",
        "numbers of the rounds": rounds / "summary.json",
        "table of the rows": folder / "table" / "report.html",
        "searched trees": folder / "trees" / "report.html",
        "report": folder / "report.html",
    }.items():
        if name == "report" or place.is_file():
            shown = f"{name}: {os.path.relpath(place)}"
            console.print(shown, highlight=False, markup=False, soft_wrap=True)


def _comparison_table(summary: Mapping[str, Any]) -> Table:
    """Before and after by group; with a policy on the way between them, where the summary has one."""
    between = summary.get("between")
    headers = ["before", "after", "difference", _interval(summary)]
    if between:
        headers.insert(1, str(between["title"]))
    table = _table("Before and after, in percent", ["metric"], headers)
    ways = dict(groups(between)) if between else {}
    for group, metrics in groups(summary):
        rows = [(name, label, metrics[name]) for name, label in _shown(metrics).items()]
        if rows:
            table.add_row(group)  # a line of its own: beside the metrics it would not fit 80 columns
        for index, (name, label, metric) in enumerate(rows):
            stop = ways.get(group, {}).get(name, {})
            cells = [percent(metric.get("before"))]
            cells += [percent(stop.get("after"))] if between else []
            cells += [percent(metric.get("after")), *difference_and_interval(metric.get("difference"))]
            table.add_row(f"  {label}", *cells, end_section=index == len(rows) - 1)
    return table


def _shown(metrics: Mapping[str, Any]) -> dict[str, str]:
    """The metrics of a group that have a value; those of calls alone where all its questions have golds."""
    calls = {name: label for name, label in CALL_METRICS.items() if _has_value(metrics.get(name))}
    repeats = calls and _sides(metrics.get("accuracy")) == _sides(metrics.get("calls_cf"))
    others = {} if repeats else METRICS
    return calls | {name: label for name, label in others.items() if _has_value(metrics.get(name))}


def _decision(decision: Mapping[str, Any]) -> str:
    """What the gate decided, and which conditions did not hold."""
    failed = [check["reason"] for check in decision["checks"] if not check["passed"]]
    return "\n".join(["Promoted." if decision["promoted"] else "Kept back.", *failed])


def _suites_table(summary: Mapping[str, Any]) -> Table:
    """Accuracy by suite, and over all of them."""
    headers = ["before", "after", "difference", _interval(summary)]
    table = _table("Suites: accuracy, in percent", ["suite", "role", "questions"], headers)
    for name, suite in [*summary["suites"].items(), ("all of these", summary["all_suites"])]:
        metric = suite["accuracy"]
        sides = [percent(metric[side]) for side in ("before", "after")]
        cells = (
            suite.get("role", ""),
            str(suite["questions"]),
            *sides,
            *difference_and_interval(metric["difference"]),
        )
        table.add_row(name, *cells)
    return table


def _interval(summary: Mapping[str, Any]) -> str:
    """What heads the intervals: how sure they are, where the summary says it (those of earlier versions do not)."""
    confidence = summary.get("confidence")
    return "interval" if confidence is None else f"{100 * confidence:g} % interval"


def _sides(metric: Any) -> tuple[Any, Any]:
    return (metric.get("before"), metric.get("after")) if isinstance(metric, dict) else (None, None)


def _ablation_tables(summary: Mapping[str, Any]) -> Iterator[Table]:
    """Each row's rates and how far it moved, then the intervals against the reference: 80 columns are enough."""
    rows = summary["rows"]
    cells = {row["title"]: row["groups"]["overall"] for row in rows}
    measured = {
        name: label
        for name, label in HEADERS.items()
        if any(cell.get(name, {}).get("value") is not None for cell in cells.values())
    }
    trainings = summary["trainings"]
    for start in range(0, len(measured), RATES_A_TABLE):
        chosen = list(measured)[start : start + RATES_A_TABLE]
        is_last = start + RATES_A_TABLE >= len(measured)
        moved = [f"{name} moved" for name in trainings] if is_last else []
        headers = [*(measured[name] for name in chosen), *moved]
        rates = _table(None if start else "In percent", ["row"], headers)
        for row in rows:
            values = [percent(cells[row["title"]][name]["value"]) for name in chosen]
            norms = [_norm(row["moved"][name.lower()]) for name in trainings] if is_last else []
            rates.add_row(row["title"], *values, *norms)
        yield rates
    against = f"{100 * summary['confidence']:g} % intervals against {summary['reference']!r}, in points"
    compared = [name for name in measured if name not in ("calls_unparsed", "calls_no_call")]
    for start in range(0, len(compared), INTERVALS_A_TABLE):
        chosen = compared[start : start + INTERVALS_A_TABLE]
        table = _table(None if start else against, ["row"], [measured[name] for name in chosen])
        for title, found in cells.items():
            if title != summary["reference"]:
                table.add_row(
                    title, *(difference_and_interval(found[name]["difference"])[1] for name in chosen)
                )
        yield table


def _row_tables(summary: Mapping[str, Any]) -> Iterator[Table]:
    """The tables of rows over all questions, then by difficulty where questions have one."""
    yield from _ablation_tables(summary)
    thirds = [
        third for third in get_args(Difficulty) if f"difficulty_{third}" in summary.get("questions", ())
    ]
    if thirds:
        yield from _difficulty_tables(summary, thirds)


def _difficulty_tables(summary: Mapping[str, Any], thirds: Sequence[str]) -> Iterator[Table]:
    """Each row's CF on the easy, medium and hard questions, then the intervals against the reference."""
    headers = [f"{third} ({summary['questions'][f'difficulty_{third}']})" for third in thirds]
    rates = _table("CF by difficulty, in percent", ["row"], headers)
    against = f"CF by difficulty, intervals against {summary['reference']!r}, in points"
    intervals = _table(against, ["row"], headers)
    for row in summary["rows"]:
        found = [row["groups"][f"difficulty_{third}"]["calls_cf"] for third in thirds]
        rates.add_row(row["title"], *(percent(cell["value"]) for cell in found))
        if row["title"] != summary["reference"]:
            intervals.add_row(
                row["title"], *(difference_and_interval(cell["difference"])[1] for cell in found)
            )
    yield rates
    yield intervals


def _help_table(helped: Mapping[str, Any], interval: str) -> Table:
    """What the policies did by whether the base model knew the answer without tools, over all questions."""
    known, questions = helped["known"], helped["questions"]
    title = f"When do tools help: {known} of {questions} questions are known without, in percent of all"
    table = _table(title, ["what"], ["before", "after", "difference", interval])
    for name, text in TOOL_HELP.items():
        sides = (percent(helped[name][side]["share"]) for side in ("before", "after"))
        table.add_row(text, *sides, *difference_and_interval(helped[name]["difference"]))
    return table


def _rounds_table(summary: Mapping[str, Any]) -> Table:
    """Each round on the validation questions, and what was made of it."""
    noun = summary["noun"]
    title = f"{noun.capitalize()}s, on the validation questions, in percent"
    table = _table(title, [noun], ["accuracy", "invoke rate"])
    table.add_column("verdict", overflow="fold")
    for one in summary["by_round"]:
        mark = " (best)" if one["number"] == summary["best"] else ""
        values = (percent(one["accuracy"]), percent(one["invoke_rate"]))
        table.add_row(f"{one['title']}{mark}", *values, one["verdict"])
    return table


def _table(title: str | None, left: list[str], right: list[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in left:
        table.add_column(header, no_wrap=True)
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
