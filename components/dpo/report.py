"""The stage's report: one HTML page with its curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from components.contracts.curves import over_steps, render_curve
from components.policy.training_report import render_training_page

if TYPE_CHECKING:
    from components.dpo.training import PairLogRow

TITLE = "Preference tuning"


def render_report(
    log: Sequence[PairLogRow], figures: Mapping[str, object], settings: Mapping[str, object]
) -> str:
    """The whole page; figures and settings become tables."""
    plots = [
        render_curve("Loss", [over_steps("", [row.loss for row in log])], x_label="step"),
        render_curve(
            "Reward of chosen minus rejected",
            [over_steps("", [row.reward_margin for row in log])],
            x_label="step",
        ),
        render_curve(
            "Pairs with the right order of rewards",
            [over_steps("", [row.reward_accuracy for row in log])],
            x_label="step",
            percent=True,
            most=1.0,
        ),
        render_curve(
            "Log-probability, nats a token",
            [
                over_steps("chosen", [row.chosen_logprob for row in log]),
                over_steps("rejected", [row.rejected_logprob for row in log]),
            ],
            x_label="step",
        ),
    ]
    return render_training_page(TITLE, figures, settings, plots)
