"""The HTML report of one evaluation: its rates as tables, its errors, and its items to look into."""

import itertools
from collections.abc import Iterable, Sequence

import jinja2
from markupsafe import Markup
from pydantic import JsonValue

from components.contracts.curves import CURVE_STYLE
from components.contracts.records import EvaluationItem, Trace
from components.contracts.report_page.browser import Entry, ItemBrowser, in_turns
from components.contracts.report_page.layout import PACKAGE, make_page
from components.contracts.report_page.marks import spread
from components.contracts.report_page.trace_view import TextTable, view_golds, view_side
from components.scoring.bfcl.scores import VERSIONS
from components.scoring.calls import show_calls
from components.scoring.groups import NEEDS_TOOL, NO_TOOL, group_label
from components.scoring.noise_plot import draw_noise
from components.scoring.rotbench import LEVELS, kind_of_level
from components.scoring.shown_golds import shown_golds
from components.scoring.tool_use import METRICS

SHOWN_ITEMS = 400
BROWSER_BYTES = 1_500_000
OUTCOMES = ("wrong", "right")

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


def _group_title(name: str) -> str:
    return {NEEDS_TOOL: "need a tool", NO_TOOL: "need none"}.get(name, group_label(name))


def render_report(
    title: str,
    summary: dict[str, JsonValue],
    items: Sequence[EvaluationItem],
    traces: Iterable[Trace],
    conditions: str = "",
) -> str:
    """A self-contained page; everything that the model wrote is escaped.

    traces: those of `items`, in any order. conditions: which questions were asked and how, in a few words.
    """
    calls = _section(summary, "calls")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            page=make_page(browse_items(title, items, traces)),
            title=title,
            conditions=conditions,
            metrics=[(metric, _TITLES[metric]) for metric in METRICS],
            summary=summary,
            calls=calls,
            call_metrics=_CALL_TITLES,
            bfcl_parts=tuple(VERSIONS["v4"]),
            noise=noise_gap(calls),
            noise_plot=_noise_plot(summary.get("noise")),
            executed=_section(summary, "executed"),
            profile=_section(summary, "profile"),
            profile_rows=_PROFILE_ROWS,
            spread=spread,
            curve_style=Markup(CURVE_STYLE),
        )
    )


def browse_items(title: str, items: Sequence[EvaluationItem], traces: Iterable[Trace]) -> ItemBrowser:
    """Up to SHOWN_ITEMS of them, chosen evenly over suites, kinds and verdicts; only their traces are kept."""
    groups: dict[tuple[str, str, bool], list[EvaluationItem]] = {}
    for item in items:
        groups.setdefault((item.suite, item.kind, item.correct), []).append(item)
    chosen = list(itertools.islice(in_turns(groups.values()), SHOWN_ITEMS))
    wanted = {item.id for item in chosen}
    kept = {trace.question.id: trace for trace in traces if trace.question.id in wanted}

    def view(item: EvaluationItem, texts: TextTable) -> Entry:
        side = view_side(item, kept[item.id], texts)
        return {
            "id": item.id,
            "suite": item.suite,
            "kind": item.kind,
            "outcome": OUTCOMES[item.correct],
            "fault": side["fault"],
            "question": texts.add(item.question),
            **view_golds(shown_golds(item, kept[item.id].question), texts),
            "sides": [side],
        }

    browser = ItemBrowser()
    browser.add(
        "Questions",
        [chosen],
        view,
        sides=(title,),
        outcomes=OUTCOMES,
        total=len(items),
        most=SHOWN_ITEMS,
        room=BROWSER_BYTES,
    )
    return browser


def render_profile(title: str, profile: dict[str, JsonValue]) -> str:
    """A page with nothing but `profile_traces`' table."""
    page = _environment().get_template("profile.html.j2")
    return page.render(page=make_page(), title=title, profile=profile, profile_rows=_PROFILE_ROWS)


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
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("components.evaluation"), jinja2.PackageLoader(PACKAGE)]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = _percent
    environment.filters["calls"] = show_calls
    environment.filters["group"] = _group_title
    return environment


def _section(summary: dict[str, JsonValue], name: str) -> dict[str, JsonValue]:
    found = summary.get(name)
    return found if isinstance(found, dict) else {}


def _percent(value: float | None) -> str:
    return "\u2013" if value is None else f"{100 * value:.1f} %"


def _noise_plot(rows: JsonValue) -> Markup:
    """The summary's `noise` as a curve, which escapes what it is given; empty without it."""
    levels = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return Markup(draw_noise({"": levels}) if levels else "")
