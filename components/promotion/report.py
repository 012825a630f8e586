"""`report.html`: one self-contained page with the decision, the numbers, the charts and the traces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jinja2
from markupsafe import Markup
from pydantic import JsonValue

from components.contracts.curves import CURVE_STYLE
from components.promotion.charts import dumbbell, error_bars, loss_curve
from components.promotion.comparison import Compared, Comparison
from components.promotion.gate import Decision, group_title, percent, points
from components.promotion.viewer import CHANGES, Viewer
from components.scoring.bootstrap import Interval
from components.scoring.groups import NEEDS_TOOL, NO_TOOL, OVERALL

METRIC_TITLES = {
    "accuracy": "Accuracy",
    "exact_match": "Exact match (EM)",
    "invoke_rate": "Invoke rate (IR)",
    "called_share": "Questions with a call",
    "pass_rate": "Pass rate (PR)",
    "answerable_rate": "Answerable rate (AR)",
    "calls_ts": "Tool selection (TS)",
    "calls_pi": "Parameter identification (PI)",
    "calls_cf": "Content filling (CF)",
    "calls_unparsed": "Turns not parsed",
    "calls_no_call": "Turns without a call",
}
METRIC_HINTS = {
    "accuracy": "answers that contain an accepted one, as whole words or as the last number",
    "exact_match": "answers that say an accepted one and nothing else",
    "invoke_rate": "calls in the first turn a question; it can pass 100 %",
    "called_share": "questions with at least one call in any turn",
    "pass_rate": "calls that came back without an error",
    "answerable_rate": "calls whose reply held an accepted answer",
    "calls_ts": "turns that call the right tools",
    "calls_pi": "turns that call the right tools with exactly the right parameters",
    "calls_cf": "turns that call the right tools with the right parameters and values",
    "calls_unparsed": "turns with a call that can't be parsed",
    "calls_no_call": "turns that call nothing though a call was wanted",
}
# More calls are neither good nor bad by themselves.
NEUTRAL = frozenset({"invoke_rate", "called_share"})
LOWER_IS_BETTER = frozenset({"calls_unparsed", "calls_no_call"})


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
    published: str = ""
    recipe: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """A policy on the way, against the one before: what its evaluation is called, and the comparison."""

    title: str
    comparison: Comparison


def render_report(
    comparison: Comparison,
    decision: Decision,
    viewer: Viewer,
    training_log: Sequence[Mapping[str, float]],
    facts: Facts,
    stop: Stop | None = None,
    helped: Sequence[Mapping[str, object]] = (),
) -> str:
    """The page as text. Whatever a model or a tool wrote is escaped; nothing is loaded from anywhere.

    helped: the tables of when tools help; empty where the model was not asked without tools.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.promotion"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    main = comparison.groups.get(NEEDS_TOOL, comparison.groups[OVERALL])
    return environment.get_template("report.html.j2").render(
        decision=decision,
        headline=headline(comparison),
        cards=_cards(comparison, main),
        groups=[_table(name, group) for name, group in comparison.groups.items()],
        tools=[_table(name, tool, title=name) for name, tool in comparison.tools.items()],
        stop_title=stop.title if stop else "",
        stop_groups=[_table(name, group) for name, group in stop.comparison.groups.items()] if stop else [],
        helped=helped,
        bars=error_bars(comparison.errors_before, comparison.errors_after),
        curve=loss_curve(training_log),
        curve_style=Markup(CURVE_STYLE),
        viewer=viewer,
        changes=CHANGES,
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
    """`+80.1 to +89.6`, in points; empty when unknown."""
    if interval is None:
        return ""
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


def _table(name: str, compared: Compared, *, title: str = "") -> dict[str, object]:
    rows = []
    for metric in compared.metrics:
        interval = compared.differences[metric]
        before, after = compared.rate("before", metric), compared.rate("after", metric)
        rows.append(
            {
                "title": METRIC_TITLES[metric],
                "hint": METRIC_HINTS[metric],
                "before": percent(before),
                "after": percent(after),
                "plot": dumbbell(before, after, interval),
                **_difference(metric, interval),
            }
        )
    plain = title or group_title(name)
    return {
        "title": plain if title else plain[0].upper() + plain[1:],
        "questions": compared.questions,
        "open": name in (OVERALL, NEEDS_TOOL, NO_TOOL) and not title,
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
