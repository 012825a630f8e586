"""The table as JSON, as Markdown and as scalar metrics."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from pydantic import JsonValue

from components.ablation.measures import LOWER_IS_BETTER, Cell, Group
from components.ablation.rows import Row
from components.ablation.settings import HEADERS, AblationSettings
from components.scoring.groups import OVERALL

ONE_SEED = "Every trained row is one training with one seed: another seed may change the order of rows that lie close together."


def summary_of(
    rows: Sequence[Row], groups: Mapping[str, Group], settings: AblationSettings
) -> dict[str, JsonValue]:
    """`summary.json`. Rates are shares; differences are against the reference row."""
    return {
        "reference": settings.reference,
        "confidence": settings.confidence,
        "seeds": 1,
        "trainings": list(settings.trainings),
        "rows": [
            {
                "title": row.title,
                "adapter": row.adapter,
                "moved": dict(moved_by_name(row, settings)),
                "groups": _cells(row, groups, settings.measures),
            }
            for row in rows
        ],
        "questions": {name: group.questions for name, group in groups.items()},
    }


def markdown_table(rows: Sequence[Row], groups: Mapping[str, Group], settings: AblationSettings) -> str:
    """The table over all questions: each rate in percent, and its difference in points with the interval."""
    group = groups[OVERALL]
    measures = group.measured(settings.measures)
    moved = [f"{name} moved" for name in settings.trainings]
    headers = ["", *(HEADERS[measure] + arrow(measure) for measure in measures), *moved]
    lines = [f"| {' | '.join(headers)} |", f"|---{'|---:' * (len(headers) - 1)}|"]
    for row in rows:
        shown = [show_cell(group.cells[row.title][measure]) for measure in measures]
        lines.append(f"| {' | '.join([_plain(row.title), *shown, *map(norm, row.moved)])} |")
    notes = [
        f"{group.questions} questions. In brackets: the difference from {_plain(settings.reference)!r} in points, "
        f"and its {100 * settings.confidence:g} % interval by paired bootstrap over the questions.",
        ONE_SEED,
    ]
    return "\n".join(["# Ablation", "", *lines, "", *notes, ""])


def scalar_metrics(
    rows: Sequence[Row], groups: Mapping[str, Group], settings: AblationSettings
) -> dict[str, float]:
    """What KFP's Metrics shows: each row's rates over all questions, and how far its adapter moved."""
    found: dict[str, float] = {}
    for row in rows:
        name = re.sub(r"[^a-z0-9]+", "_", row.title.lower()).strip("_")
        for measure in settings.measures:
            cell = groups[OVERALL].cells[row.title][measure]
            if cell.value is not None:
                found[f"{name}_{measure}"] = cell.value
        for step, value in moved_by_name(row, settings).items():
            if value is not None:
                found[f"{name}_moved_{step}"] = value
    return found


def moved_by_name(row: Row, settings: AblationSettings) -> dict[str, float | None]:
    """How far each training of a row moved, by the training's name in small letters."""
    return {name.lower(): value for name, value in zip(settings.trainings, row.moved, strict=True)}


def show_cell(cell: Cell) -> str:
    """`62.5 (+3.1: -1.0 to +7.2)`; a dash where the rate is undefined."""
    value = percent(cell.value)
    if cell.difference is None:
        return value
    return f"{value} ({points(cell.difference.mean)}: {points(cell.difference.low)} to {points(cell.difference.high)})"


def percent(share: float | None) -> str:
    """A share in percent, without the sign; a dash where it is undefined."""
    return "-" if share is None else f"{100 * share:.1f}"


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"  # no minus in front of a zero


def norm(value: float | None) -> str:
    """How far weights moved, to three digits; a dash where there was no training."""
    return "-" if value is None else f"{value:.3g}"


def arrow(measure: str) -> str:
    """Where a measure counts as better when it falls."""
    return " (lower is better)" if measure in LOWER_IS_BETTER else ""


def _cells(row: Row, groups: Mapping[str, Group], measures: Sequence[str]) -> dict[str, JsonValue]:
    return {
        name: {
            measure: {
                "value": cell.value,
                "difference": asdict(cell.difference) if cell.difference else None,
            }
            for measure, cell in ((one, group.cells[row.title][one]) for one in measures)
        }
        for name, group in groups.items()
    }


def _plain(title: str) -> str:
    return " ".join(title.split()).replace("|", "\\|").replace("<", "&lt;")
