"""The stage's report: one HTML page with the loss curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from components.contracts.curves import Series, over_steps, render_curve
from components.policy.training_report import render_training_page

if TYPE_CHECKING:
    from components.sft.training import SupervisedLogRow

TITLE = "Supervised fine-tuning"


def render_report(
    log: Sequence[SupervisedLogRow], figures: Mapping[str, object], settings: Mapping[str, object]
) -> str:
    """The whole page. log: a row a step, in order; figures and settings become tables.

    With a curriculum each third is a line of its own, and a sentence says at which step it begins.
    """
    thirds = {name: list(rows) for name, rows in groupby(log, key=lambda row: row.difficulty)}
    if list(thirds) == [""]:
        series = [over_steps("", [row.loss for row in log])]
    else:
        series = [Series(name, [(row.step, row.loss) for row in rows]) for name, rows in thirds.items()]
    begin = [f"{name} examples from step {rows[0].step}" for name, rows in thirds.items() if name]
    plot = render_curve("Loss, in nats a supervised token", series, x_label="step")
    return render_training_page(
        TITLE, figures, settings, [plot], lead=f"Curriculum: {', '.join(begin)}." if begin else ""
    )
