"""`report.html`: one self-contained page with the decision, the numbers, the charts and the traces."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import jinja2
from markupsafe import Markup
from pydantic import JsonValue

from components.contracts.curves import CURVE_STYLE
from components.contracts.report_page.browser import ItemBrowser
from components.contracts.report_page.layout import PACKAGE, make_page
from components.contracts.report_page.marks import dumbbell, spread
from components.promotion.charts import error_bars, loss_curve
from components.promotion.comparison import Compared, Comparison
from components.promotion.gate import Decision
from components.promotion.leaderboard import AFTER, BEFORE, Leaderboard, Standing, SuiteRow
from components.promotion.metrics import LOWER_IS_BETTER, METRIC_HINTS, METRIC_TITLES, NEUTRAL
from components.promotion.words import group_title, percent, points
from components.scoring.bootstrap import Interval
from components.scoring.groups import NEEDS_TOOL, NO_TOOL, OVERALL
from components.scoring.noise_plot import draw_noise

MOST_TABLES = 40  # of tools, of groups and of suites, so that the page stays small


@dataclass(frozen=True)
class Facts:
    """What the report's foot and the model card say about where things come from."""

    base_model: str
    adapter: str
    lineage: Mapping[str, str]
    training: Mapping[str, JsonValue]
    call_format: str
    template_hash: str
    confidence: float
    samples: int
    seed: int
    recipe: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """A policy on the way, against the one before: what its evaluation is called, and the comparison."""

    title: str
    comparison: Comparison


def render_report(
    comparison: Comparison,
    decision: Decision,
    board: Leaderboard,
    viewer: ItemBrowser,
    training_log: Sequence[Mapping[str, float]],
    facts: Facts,
    stop: Stop | None = None,
    helped: Sequence[Mapping[str, object]] = (),
) -> str:
    """The page as text. Whatever a model or a tool wrote is escaped; nothing is loaded from anywhere.

    board: the policies beside each other. helped: the tables of when tools help; empty where the model was not
    asked without tools.
    """
    loaders = [jinja2.PackageLoader("components.promotion"), jinja2.PackageLoader(PACKAGE)]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    main = comparison.groups.get(NEEDS_TOOL, comparison.groups[OVERALL])
    return environment.get_template("report.html.j2").render(
        page=make_page(viewer),
        decision=decision,
        headline=headline(comparison),
        cards=_cards(comparison, main),
        questions=board.questions,
        whose="your own" if board.has_own and board.suites else "the same",
        standings=[_standing(one) for one in board.standings],
        roles=[one.role for one in board.standings],
        suites=[_suite(row) for row in board.suites],
        suite_tables=_tables({row.title: row.compared for row in board.suites}, named=True),
        groups=_tables(
            comparison.groups, open_one=OVERALL if main is comparison.groups[OVERALL] else NEEDS_TOOL
        ),
        tools=_tables(comparison.tools, named=True),
        left_out={
            "suites": _left_out(board.suites),
            "groups": _left_out(comparison.groups),
            "tools": _left_out(comparison.tools),
            "stop": _left_out(stop.comparison.groups if stop else ()),
        },
        stop_title=stop.title if stop else "",
        stop_groups=_tables(stop.comparison.groups) if stop else [],
        metrics=[(title, METRIC_HINTS[metric]) for metric, title in METRIC_TITLES.items()],
        helped=helped,
        bars=error_bars(board.errors[BEFORE], board.errors[AFTER]),
        fault_bars=error_bars(board.faults[BEFORE], board.faults[AFTER]),
        curve=loss_curve(training_log),
        noise=Markup(draw_noise(board.noise)) if board.noise else "",
        curve_style=Markup(CURVE_STYLE),
        facts=facts,
        training_settings=shown_settings(facts),
        confidence=f"{100 * facts.confidence:g}",
    )


def headline(comparison: Comparison) -> str:
    """The result in one sentence."""
    name = NEEDS_TOOL if NEEDS_TOOL in comparison.groups else OVERALL
    group = comparison.groups[name]
    before, after = percent(group.before.accuracy), percent(group.after.accuracy)
    return f"Accuracy on {group_title(name)} went from {before} to {after}."


def metric_rows(comparison: Comparison) -> list[dict[str, object]]:
    """Every group and every tool as a table of metrics, in the report's words."""
    return [
        *(_table(name, group) for name, group in comparison.groups.items()),
        *(_table(name, tool, title=name) for name, tool in comparison.tools.items()),
    ]


def shown_settings(facts: Facts) -> list[tuple[str, str]]:
    """The training settings as text, by name."""
    return [(name, _shown(value)) for name, value in sorted(facts.training.items())]


def interval_text(interval: Interval | None) -> str:
    """`+80.1 to +89.6`, in points; `no change` where no answer changed, empty when unknown."""
    if interval is None:
        return ""
    if interval.mean == interval.low == interval.high == 0:
        return "no change"  # a bootstrap of nothing but zeros has no width, which is no certainty
    return f"{points(interval.low)} to {points(interval.high)}".replace(" points", "")


def _cards(comparison: Comparison, main: Compared) -> list[dict[str, object]]:
    name = NEEDS_TOOL if NEEDS_TOOL in comparison.groups else OVERALL
    chosen = [(name, main, "accuracy"), (name, main, "called_share")]
    without = comparison.groups.get(NO_TOOL)
    if without is not None:
        chosen += [(NO_TOOL, without, "accuracy"), (NO_TOOL, without, "invoke_rate")]
    return [
        {
            "label": METRIC_TITLES[metric],
            "where": group_title(group_name),
            "before": percent(group.rate("before", metric)),
            "after": percent(group.rate("after", metric)),
            **_difference(metric, group.differences[metric]),
        }
        for group_name, group, metric in chosen
    ]


def _standing(standing: Standing) -> dict[str, object]:
    accuracy = standing.accuracy
    return {
        "role": standing.role,
        "title": standing.title,
        "accuracy": percent(accuracy.mean),
        "bounds": _bounds(accuracy),
        "plot": spread(accuracy.mean, accuracy.low, accuracy.high),
        "called": percent(standing.called_share),
        "first": standing.difference is None,
        "seconds": f"{standing.seconds:,.1f}",
        "tokens": f"{standing.tokens:,}",
        **_difference("accuracy", standing.difference),
    }


def _suite(row: SuiteRow) -> dict[str, object]:
    return {
        "name": row.title,
        "role": row.role,
        "questions": row.questions,
        "cells": [
            {"share": percent(one.mean if one else None), "bounds": _bounds(one) if one else ""}
            for one in row.accuracies
        ],
        **_difference("accuracy", row.difference),
    }


def _bounds(interval: Interval) -> str:
    """`38.1 to 49.0`, in percent."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _tables(
    compared: Mapping[str, Compared], *, named: bool = False, open_one: str = ""
) -> list[dict[str, object]]:
    """At most MOST_TABLES of them. named: by the names themselves, as tools and suites are. open_one: shown unfolded."""
    chosen = list(compared.items())[:MOST_TABLES]
    return [
        _table(name, one, title=name if named else "") | {"open": name == open_one} for name, one in chosen
    ]


def _left_out(compared: Collection[object]) -> int:
    """How many have no table of their own in the page."""
    return max(0, len(compared) - MOST_TABLES)


def _table(name: str, compared: Compared, *, title: str = "") -> dict[str, object]:
    rows = []
    for metric in compared.metrics:
        interval = compared.differences[metric]
        before, after = compared.rate("before", metric), compared.rate("after", metric)
        rows.append(
            {
                "title": METRIC_TITLES[metric],
                "known": before is not None or after is not None,
                "before": percent(before),
                "after": percent(after),
                "plot": dumbbell(before, after, (interval.low, interval.high) if interval else None),
                **_difference(metric, interval),
            }
        )
    plain = title or group_title(name)
    return {
        "title": plain if title else plain[0].upper() + plain[1:],
        "questions": compared.questions,
        "rows": rows,
    }


def _difference(metric: str, interval: Interval | None) -> dict[str, str]:
    if interval is None:
        return {"difference": "\u2013", "interval": "", "tone": "neutral"}
    tone = "neutral"
    if metric not in NEUTRAL:
        tone = "good" if interval.low > 0 else "bad" if interval.high < 0 else "neutral"
        if metric in LOWER_IS_BETTER:
            tone = {"good": "bad", "bad": "good"}.get(tone, tone)
    return {
        "difference": points(interval.mean).removesuffix(" points"),
        "interval": interval_text(interval),
        "tone": tone,
    }


def _shown(value: JsonValue) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
