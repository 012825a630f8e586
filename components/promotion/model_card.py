"""The model card: Markdown that stands alone beside the adapter."""

from collections.abc import Mapping, Sequence

import jinja2

from components.promotion.charts import error_bars
from components.promotion.comparison import Comparison
from components.promotion.gate import Decision
from components.promotion.report import Facts, headline, interval_text, metric_rows, shown_settings
from components.promotion.suites import Suites
from components.promotion.words import percent, points


def render_model_card(
    comparison: Comparison,
    decision: Decision,
    facts: Facts,
    helped: Sequence[Mapping[str, object]],
    suites: Suites,
) -> str:
    """What the adapter is, how it was made, how it did, and what it is not for. helped: see `render_report`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.promotion"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment.get_template("model_card.md.j2").render(
        name=f"Adapter {facts.adapter[:12]}",
        decision=decision,
        headline=headline(comparison),
        groups=metric_rows(comparison),
        suites=suite_rows(suites),
        helped=helped,
        errors=error_bars(comparison.errors_before, comparison.errors_after),
        training=shown_settings(facts),
        facts=facts,
        confidence=f"{100 * facts.confidence:g}",
    )


def suite_rows(suites: Suites) -> list[dict[str, object]]:
    """Accuracy by suite and over all of them; empty where only the own questions were judged."""
    if len(suites.by_name) < 2:
        return []
    named = [(suites.title(name), suites.role(name), group) for name, group in suites.by_name.items()]
    rows = []
    for title, role, group in [*named, ("all of these", "", suites.together)]:
        interval = group.differences["accuracy"]
        rows.append(
            {
                "title": title,
                "role": role,
                "questions": group.questions,
                "before": percent(group.before.accuracy),
                "after": percent(group.after.accuracy),
                "difference": points(interval.mean).removesuffix(" points") if interval else "",
                "interval": interval_text(interval),
            }
        )
    return rows


def _cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table, and can't become HTML where it is shown."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
