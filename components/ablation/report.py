"""`report.html`: the table of all rows, for all questions and for each kind, on one self-contained page."""

from collections.abc import Mapping, Sequence

import jinja2

from components.ablation.measures import LOWER_IS_BETTER, Cell, Group
from components.ablation.rows import Row
from components.ablation.settings import AblationSettings
from components.ablation.table import HEADERS, ONE_SEED, norm, percent, points
from components.scoring.groups import OVERALL

HINTS = {
    "calls_ts": "tool selection: the right tools are called",
    "calls_pi": "parameter identification: also exactly the right parameters",
    "calls_cf": "content filling: also the right values",
    "calls_unparsed": "turns with a call that can't be parsed",
    "calls_no_call": "turns without a call",
    "executed_de": "calls that show the tools' documentation was not understood",
    "executed_ce": "calls that failed otherwise",
    "executed_va": "questions that end in an answer that is no refusal",
    "accuracy": "answers that contain an accepted one",
}


def render_report(rows: Sequence[Row], groups: Mapping[str, Group], settings: AblationSettings) -> str:
    """The page as text; titles are escaped, nothing is loaded from anywhere."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.ablation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        tables=[_table(name, group, rows, settings.reference) for name, group in groups.items()],
        reference=settings.reference,
        confidence=f"{100 * settings.confidence:g}",
        samples=settings.samples,
        one_seed=ONE_SEED,
    )


def _table(name: str, group: Group, rows: Sequence[Row], reference: str) -> dict[str, object]:
    measures = group.measured()
    return {
        "title": "All questions" if name == OVERALL else name.replace("_", " "),
        "open": name == OVERALL,
        "questions": group.questions,
        "headers": [
            {"name": HEADERS[one], "hint": HINTS[one], "falls": one in LOWER_IS_BETTER} for one in measures
        ],
        "rows": [
            {
                "title": row.title,
                "is_reference": row.title == reference,
                "cells": [_cell(measure, group.cells[row.title][measure]) for measure in measures],
                "sft": norm(row.moved.sft),
                "ppo": norm(row.moved.ppo),
            }
            for row in rows
        ],
    }


def _cell(measure: str, cell: Cell) -> dict[str, str]:
    found = cell.difference
    if found is None:
        return {"value": percent(cell.value), "difference": "", "interval": "", "tone": "neutral"}
    rises, falls = found.low > 0, found.high < 0
    if measure in LOWER_IS_BETTER:
        rises, falls = falls, rises
    return {
        "value": percent(cell.value),
        "difference": points(found.mean),
        "interval": f"{points(found.low)} to {points(found.high)}",
        "tone": "good" if rises else "bad" if falls else "neutral",
    }
