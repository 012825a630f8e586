"""The model card: Markdown that stands alone beside the adapter."""

from collections.abc import Mapping, Sequence

import jinja2

from components.promotion.charts import error_bars
from components.promotion.comparison import Comparison
from components.promotion.gate import Decision
from components.promotion.report import Facts, headline, metric_rows, shown_settings


def render_model_card(
    comparison: Comparison,
    decision: Decision,
    facts: Facts,
    helped: Sequence[Mapping[str, object]] = (),
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
        helped=helped,
        errors=error_bars(comparison.errors_before, comparison.errors_after),
        training=shown_settings(facts),
        facts=facts,
        confidence=f"{100 * facts.confidence:g}",
    )


def _cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table, and can't become HTML where it is shown."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
