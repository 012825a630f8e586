"""The stage's report: one HTML page with the loss curve."""

from collections.abc import Mapping, Sequence

from components.contracts.curves import over_steps, render_curve
from components.policy.training_report import render_training_page

TITLE = "Supervised fine-tuning"


def render_report(
    losses: Sequence[float], figures: Mapping[str, object], settings: Mapping[str, object]
) -> str:
    """The whole page. losses: one a step, in order; figures and settings become tables."""
    plot = render_curve("Loss, in nats a supervised token", [over_steps("", losses)], x_label="step")
    return render_training_page(TITLE, figures, settings, [plot])
