"""`report.html`: the table of all rows, for all questions and for each kind, on one self-contained page."""

from collections.abc import Mapping, Sequence

import jinja2

from components.ablation.measures import LOWER_IS_BETTER, NEITHER_IS_BETTER, Cell, Group
from components.ablation.rows import Row
from components.ablation.settings import HEADERS, AblationSettings
from components.ablation.table import ONE_SEED, norm, percent, points
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
    "exact_match": "answers that are an accepted one",
    "invoke_rate": "calls in the first turn, a question",
    "pass_rate": "calls whose reply has no error",
    "answerable_rate": "calls whose reply holds an accepted answer",
    "called_share": "questions with a call",
    "overuse": "questions that the base model knows without tools, and a tool was called",
    "harmed": "of those, the ones whose answer was then wrong, as a share of all questions",
    "underuse": "questions that it does not know, and no tool was called",
    "rescued": "questions that it does not know, a tool was called, and the answer is right",
}


def render_report(
    rows: Sequence[Row], groups: Mapping[str, Group], settings: AblationSettings, apart: Sequence[str] = ()
) -> str:
    """The page as text; titles are escaped, nothing is loaded from anywhere. apart: suites that only some rows judged."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.ablation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        tables=[_table(name, group, rows, settings) for name, group in groups.items()],
        title=settings.title,
        explanation=settings.explanation,
        trainings=settings.trainings,
        reference=settings.reference,
        confidence=f"{100 * settings.confidence:g}",
        samples=settings.samples,
        one_seed=ONE_SEED,
        apart=", ".join(apart),
    )


def _table(name: str, group: Group, rows: Sequence[Row], settings: AblationSettings) -> dict[str, object]:
    measures = group.measured(settings.measures)
    return {
        "title": "All questions" if name == OVERALL else name.replace("_", " "),
        "open": name == OVERALL,
        "questions": group.questions,
        "headers": [{"name": HEADERS[one] + _arrow(one), "hint": HINTS[one]} for one in measures],
        "rows": [
            {
                "title": row.title,
                "is_reference": row.title == settings.reference,
                "cells": [_cell(measure, group.cells[row.title][measure]) for measure in measures],
                "moved": [norm(value) for value in row.moved],
            }
            for row in rows
        ],
    }


def _arrow(measure: str) -> str:
    if measure in NEITHER_IS_BETTER:
        return ""
    return " \u2193" if measure in LOWER_IS_BETTER else " \u2191"


def _cell(measure: str, cell: Cell) -> dict[str, str]:
    found = cell.difference
    if found is None:
        return {"value": percent(cell.value), "difference": "", "interval": "", "tone": "neutral"}
    rises, falls = found.low > 0, found.high < 0
    if measure in NEITHER_IS_BETTER:
        rises = falls = False
    if measure in LOWER_IS_BETTER:
        rises, falls = falls, rises
    return {
        "value": percent(cell.value),
        "difference": points(found.mean),
        "interval": f"{points(found.low)} to {points(found.high)}",
        "tone": "good" if rises else "bad" if falls else "neutral",
    }
