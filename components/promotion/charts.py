"""Geometry of the report's small charts; the template draws them as inline SVG."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from components.scoring.bootstrap import Interval


@dataclass(frozen=True)
class Curve:
    """A line chart: `points` is an SVG polyline in a box of `width` x `height`, y downwards."""

    points: str
    smooth: str
    width: int
    height: int
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]
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


def loss_curve(
    log: Sequence[Mapping[str, float]],
    *,
    width: int = 640,
    height: int = 200,
    left: int = 44,
    bottom: int = 22,
) -> Curve | None:
    """The loss over the steps, and its running mean; None for fewer than two finite points."""
    points = [(float(row["step"]), float(row["loss"])) for row in log if math.isfinite(row["loss"])]
    if len(points) < 2:
        return None
    steps = [step for step, _ in points]
    losses = [loss for _, loss in points]
    low, high = 0.0, max(max(losses) * 1.05, 1e-9)
    first_step, last_step = min(steps), max(max(steps), min(steps) + 1)

    def x(step: float) -> float:
        return round(left + (step - first_step) / (last_step - first_step) * (width - left - 8), 1)

    def y(loss: float) -> float:
        return round(8 + (high - loss) / (high - low) * (height - 8 - bottom), 1)

    tick = nice_step(high / 4)
    y_ticks = [(y(tick * n), f"{tick * n:g}") for n in range(int(high / tick) + 1)]
    step_tick = max(1.0, nice_step((last_step - first_step) / 5))
    begin = math.ceil(first_step / step_tick)
    x_ticks = [(x(step_tick * n), f"{step_tick * n:g}") for n in range(begin, int(last_step / step_tick) + 1)]
    mean = running_mean(losses, max(1, len(losses) // 15))
    return Curve(
        points=_polyline((x(step), y(loss)) for step, loss in _thinned(points)),
        smooth=_polyline((x(step), y(loss)) for step, loss in _thinned(list(zip(steps, mean, strict=True)))),
        width=width,
        height=height,
        y_ticks=tuple(y_ticks),
        x_ticks=tuple(x_ticks),
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


def dumbbell(
    before: float | None, after: float | None, interval: Interval | None, *, width: float = 180.0
) -> dict[str, float | None]:
    """Where both rates lie on a line from 0 to 100 %, and where the interval puts the later one."""

    def x(share: float) -> float:
        return round(7 + max(0.0, min(1.0, share)) * (width - 14), 1)

    band = (
        (None, None)
        if before is None or interval is None
        else (x(before + interval.low), x(before + interval.high))
    )
    return {
        "before": None if before is None else x(before),
        "after": None if after is None else x(after),
        "low": band[0],
        "high": band[1],
    }


def nice_step(rough: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= rough * 0.999)


def running_mean(values: Sequence[float], reach: int) -> list[float]:
    """The mean of each value and up to `reach` on both sides."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    bounds = [(max(0, i - reach), min(len(values), i + reach + 1)) for i in range(len(values))]
    return [(sums[end] - sums[start]) / (end - start) for start, end in bounds]


def _thinned(points: Sequence[tuple[float, float]], most: int = 600) -> list[tuple[float, float]]:
    stride = math.ceil(len(points) / most)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _polyline(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
