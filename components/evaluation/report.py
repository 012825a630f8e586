"""The HTML report of one evaluation: its rates as tables, its errors, and some of its items."""

from collections.abc import Sequence
from itertools import zip_longest

import jinja2
from pydantic import JsonValue

from components.contracts.records import EvaluationItem
from components.scoring.calls import show_calls
from components.scoring.groups import group_label
from components.scoring.rotbench import LEVELS, kind_of_level
from components.scoring.tool_use import METRICS

SHOWN_ITEMS = 60

_TITLES = {
    "accuracy": "Accuracy",
    "exact_match": "EM",
    "invoke_rate": "IR",
    "called_share": "With a call",
    "pass_rate": "PR",
    "answerable_rate": "AR",
}
_CALL_TITLES = (
    ("ts", "TS"),
    ("pi", "PI"),
    ("cf", "CF"),
    ("unparsed", "Not parsed"),
    ("no_call", "No call"),
)
_PROFILE_ROWS = (
    (
        "tool",
        "Tool",
        (("first", "its name differs in the first token"), ("prefix", "it shares the first tokens")),
    ),
    (
        "parameters",
        "Parameters",
        (
            ("redundancy", "one that the gold lacks"),
            ("missing", "one of the gold's is absent"),
            ("hallucination", "one that the tool does not have"),
        ),
    ),
    (
        "content",
        "Content",
        (("synonyms", "a value that says nearly the same"), ("others", "another value")),
    ),
)


def render_report(
    title: str, summary: dict[str, JsonValue], items: Sequence[EvaluationItem], conditions: str = ""
) -> str:
    """A self-contained page; everything that the model wrote is escaped.

    conditions: which questions were asked and how, in a few words.
    """
    calls = _section(summary, "calls")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            conditions=conditions,
            metrics=[(metric, _TITLES[metric]) for metric in METRICS],
            summary=summary,
            calls=calls,
            call_metrics=_CALL_TITLES,
            noise=noise_gap(calls),
            executed=_section(summary, "executed"),
            profile=_section(summary, "profile"),
            profile_rows=_PROFILE_ROWS,
            items=_some_of_each_kind(items),
            total=len(items),
        )
    )


def render_profile(title: str, profile: dict[str, JsonValue]) -> str:
    """A page with nothing but `profile_traces`' table."""
    page = _environment().get_template("profile.html.j2")
    return page.render(title=title, profile=profile, profile_rows=_PROFILE_ROWS)


def noise_gap(calls: dict[str, JsonValue]) -> list[dict[str, JsonValue]]:
    """RoTBench's levels that were judged: TS, PI and CF of each and the gap to the clean level.

    calls: a summary's `calls`. Empty for fewer than two levels; a gap is null without a clean level.
    """
    found = [(level, _section(calls, kind_of_level(level))) for level in LEVELS]
    present = [(level, group) for level, group in found if group]
    if len(present) < 2:
        return []
    clean = dict(present).get("clean")
    rows: list[dict[str, JsonValue]] = []
    for level, group in present:
        cells: list[JsonValue] = []
        for metric in ("ts", "pi", "cf"):
            rate, base = group[metric], clean[metric] if clean and level != "clean" else None
            if isinstance(rate, float) and isinstance(base, float):
                cells.append({"rate": rate, "gap": rate - base})
            else:
                cells.append({"rate": rate, "gap": None})
        rows.append({"level": level, "questions": group["questions"], "cells": cells})
    return rows


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = _percent
    environment.filters["calls"] = show_calls
    environment.filters["group"] = group_label
    return environment


def _section(summary: dict[str, JsonValue], name: str) -> dict[str, JsonValue]:
    found = summary.get(name)
    return found if isinstance(found, dict) else {}


def _percent(value: float | None) -> str:
    return "\u2013" if value is None else f"{100 * value:.1f} %"


def _some_of_each_kind(items: Sequence[EvaluationItem]) -> list[EvaluationItem]:
    kinds = sorted({item.kind for item in items})
    rounds = zip_longest(*([item for item in items if item.kind == kind] for kind in kinds))
    return [item for one in rounds for item in one if item is not None][:SHOWN_ITEMS]
