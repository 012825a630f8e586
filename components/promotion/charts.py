"""The report's small charts: the curve of the training loss, and the bars of what failed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.contracts.curves import Series, render_curve, running_mean


@dataclass(frozen=True)
class Curve:
    """The training loss as a plot (`svg`), its first value, the last of its running mean, and the steps."""

    svg: Markup
    first: float
    last: float
    steps: int


@dataclass(frozen=True)
class Bar:
    """One category of failure: counts, and widths in percent of the longest bar."""

    title: str
    before: int
    after: int
    before_width: float
    after_width: float


def loss_curve(log: Sequence[Mapping[str, float]]) -> Curve | None:
    """The loss over the steps, and its running mean; None for fewer than two finite points."""
    points = [(float(row["step"]), float(row["loss"])) for row in log if math.isfinite(row["loss"])]
    if len(points) < 2:
        return None
    steps = [step for step, _ in points]
    losses = [loss for _, loss in points]
    mean = running_mean(losses, max(1, len(losses) // 15))
    series = [
        Series("running mean", list(zip(steps, mean, strict=True))),
        Series("a step", points, thin=True),
    ]
    return Curve(
        svg=Markup(render_curve("Loss", series, x_label="step")),  # escapes what it is given
        first=losses[0],
        last=mean[-1],
        steps=int(max(steps)),
    )


def error_bars(before: Mapping[str, int], after: Mapping[str, int]) -> list[Bar]:
    """One bar pair for each category that occurred, the most frequent first."""
    longest = max([*before.values(), *after.values(), 1])
    names = [name for name in before if before[name] or after.get(name, 0)]
    names += [name for name in after if name not in before and after[name]]
    names.sort(key=lambda name: -(before.get(name, 0) + after.get(name, 0)))
    return [
        Bar(
            title=name.replace("_", " "),
            before=before.get(name, 0),
            after=after.get(name, 0),
            before_width=round(100 * before.get(name, 0) / longest, 1),
            after_width=round(100 * after.get(name, 0) / longest, 1),
        )
        for name in names
    ]
