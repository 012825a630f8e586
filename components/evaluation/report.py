"""The HTML report of one evaluation: its rates as a table, its errors, and some of its items."""

from collections.abc import Sequence
from itertools import zip_longest

import jinja2
from pydantic import JsonValue

from components.contracts.records import EvaluationItem
from components.scoring.tool_use import METRICS

SHOWN_ITEMS = 60

_TITLES = {
    "accuracy": "Accuracy",
    "exact_match": "Exact match",
    "invoke_rate": "Invoke rate",
    "called_share": "Questions with a call",
    "pass_rate": "Pass rate",
    "answerable_rate": "Answerable rate",
}


def render_report(title: str, summary: dict[str, JsonValue], items: Sequence[EvaluationItem]) -> str:
    """A self-contained page; everything that the model wrote is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = _percent
    return environment.get_template("report.html.j2").render(
        title=title,
        metrics=[(metric, _TITLES[metric]) for metric in METRICS],
        summary=summary,
        items=_some_of_each_kind(items),
        total=len(items),
    )


def _percent(value: float | None) -> str:
    return "\u2013" if value is None else f"{100 * value:.1f} %"


def _some_of_each_kind(items: Sequence[EvaluationItem]) -> list[EvaluationItem]:
    kinds = sorted({item.kind for item in items})
    rounds = zip_longest(*([item for item in items if item.kind == kind] for kind in kinds))
    return [item for one in rounds for item in one if item is not None][:SHOWN_ITEMS]
