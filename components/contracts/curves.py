"""Line plots as inline SVG: axes, several labelled series, no script and nothing from elsewhere.

A page that holds one includes `CURVE_STYLE`; colours follow the page's `color-scheme`, light or dark. Series
differ in dashes as well as in colour, and a plot says what it shows in its `aria-label`.
"""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.contracts.axes import Frame, draw_axes, draw_text, frame_around

CURVE_STYLE = """
.curve { --c0: light-dark(#1f5fd0, #7fb0ff); --c1: light-dark(#b4540a, #f0a35c); --c2: light-dark(#0b7d5f, #5fd0ac); --c3: light-dark(#8a3ab0, #d79be8) }
.curve { --axis: light-dark(#c3cad6, #3a4656); --note: light-dark(#596579, #9ba7b9); --mark: light-dark(#b3261e, #ff9189); color: inherit }
.curve { display: block; width: 100%; max-width: 38rem; height: auto; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
.curve text { fill: var(--note) } .curve .name { fill: currentColor; font-size: 14px; font-weight: 600 } .curve .axis { stroke: var(--axis); fill: none }
.curve polyline, .curve .bar { fill: none; stroke-width: 2; stroke-linejoin: round } .curve .band { opacity: .18 } .curve .mark { fill: var(--mark) }
.curve .s0 { stroke: var(--c0) } .curve .s1 { stroke: var(--c1); stroke-dasharray: 7 4 } .curve .s2 { stroke: var(--c2); stroke-dasharray: 2 3 } .curve .s3 { stroke: var(--c3); stroke-dasharray: 9 3 2 3 }
.curve .f0 { fill: var(--c0) } .curve .f1 { fill: var(--c1) } .curve .f2 { fill: var(--c2) } .curve .f3 { fill: var(--c3) } .curve .thin { stroke: var(--note); stroke-width: 1; stroke-dasharray: none; opacity: .7 } .curve .across { stroke: var(--mark); stroke-width: 1; stroke-dasharray: 3 4; opacity: .55 }
"""

STYLES = 4  # series that can be told apart
MOST_POINTS = 600
_TOP, _LINE, _BOTTOM = 26, 18, 40
_GAP = 10  # below the box of a plot that has no x axis of its own
_CHARACTER = 6.8  # pixels of an average one, for the legend's line breaks


@dataclass(frozen=True)
class Series:
    """One line of a plot.

    points: (x, y) in the order of x. band: (x, low, high), an interval about the line. marks: x -> one
    sentence; drawn as a warning sign there. thin: drawn faintly, such as raw values behind their mean.
    """

    label: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float, float]] = ()
    marks: Mapping[float, str] = field(default_factory=dict)
    thin: bool = False


@dataclass(frozen=True)
class Plot:
    """What one plot shows. percent: values are shares. most: where the y axis ends at least.

    x_names: names of x = 0, 1, 2 ..., in place of numbers.
    """

    title: str
    series: Sequence[Series]
    y_label: str = ""
    percent: bool = False
    most: float | None = None
    x_names: Sequence[str] = ()


@dataclass(frozen=True)
class Drawn:
    """A plot's inside as markup, what it shows in words (not escaped), and its box."""

    markup: str
    spoken: str
    frame: Frame


def over_steps(label: str, values: Sequence[float]) -> Series:
    """A series of one value a step; steps count from 1."""
    return Series(label, [(float(step), float(value)) for step, value in enumerate(values, start=1)])


def render_curve(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str = "",
    y_label: str = "",
    width: int = 420,
    height: int = 240,
    percent: bool = False,
    most: float | None = None,
    across: tuple[float, float] | None = None,
    x_names: Sequence[str] = (),
) -> str:
    """One plot as an `<svg>`; zero is always in its range, and whole numbers stand on the x axis.

    percent: values are shares, shown in percent. most: where the y axis ends at least. across: where the
    x axis begins and ends at least. x_names: as in `Plot`. Long series are thinned to `MOST_POINTS`; without any point only the
    axes are drawn.

    Raises:
        ValueError: a number that is not finite, or more than `STYLES` series.
    """
    drawn = draw_plot(
        Plot(title, series, y_label, percent=percent, most=most, x_names=x_names),
        width,
        height,
        across=across or (),
        x_label=x_label,
    )
    return as_svg(drawn.markup, drawn.spoken, width, height)


def as_svg(markup: str, spoken: str, width: int, height: int) -> str:
    """The whole drawing. spoken: what it shows, for those who can't see it; not yet escaped."""
    return (
        f'<svg class="curve" viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(spoken)}">'
        f"{markup}</svg>"
    )


def draw_plot(
    plot: Plot, width: int, height: int, *, across: Sequence[float], x_label: str, x_axis: bool = True
) -> Drawn:
    """One plot's inside. across: values that the x axis reaches. x_axis: with its numbers and its label.

    Raises:
        ValueError: as `render_curve`.
    """
    title, series = plot.title, plot.series
    if len(series) > STYLES:
        raise ValueError(f"{title}: {len(series)} series, expected at most {STYLES}")
    _check_finite(title, series)
    legend, rows = _legend(series, width)
    bottom = height - (_BOTTOM if x_axis else _GAP)
    wide, up = _reach(plot)
    frame = frame_around([*wide, *across], up, width, top=_TOP + rows * _LINE, bottom=bottom)
    below_first = sorted(enumerate(series), key=lambda numbered: not numbered[1].thin)
    lines = "".join(_draw(one, index, frame) for index, one in below_first)
    middle = (frame.top + frame.bottom) / 2
    empty = "" if any(one.points for one in series) else draw_text(width / 2, middle, "no values", "middle")
    y_label = plot.y_label
    notes = "; ".join(
        text for text in (y_label and f"{y_label} by {x_label or 'step'}", *map(_spoken, series)) if text
    )
    axes = draw_axes(frame, x_label, y_label, percent=plot.percent, x_axis=x_axis, x_names=plot.x_names)
    return Drawn(
        f'<text class="name" x="2" y="16">{html.escape(title)}</text>{legend}{axes}{lines}{empty}',
        f"{title}: {notes}" if notes else title,
        frame,
    )


def running_mean(values: Sequence[float], reach: int) -> list[float]:
    """The mean of each value and up to `reach` on both sides."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    bounds = [(max(0, i - reach), min(len(values), i + reach + 1)) for i in range(len(values))]
    return [(sums[end] - sums[start]) / (end - start) for start, end in bounds]


def _reach(plot: Plot) -> tuple[list[float], list[float]]:
    """All values on the x axis, and on the y axis."""
    wide = [x for one in plot.series for x, _ in one.points]
    up = [y for one in plot.series for _, y in one.points]
    up += [end for one in plot.series for _, low, high in one.band for end in (low, high)]
    return wide, [*up, *([] if plot.most is None else [plot.most])]


def _draw(series: Series, index: int, frame: Frame) -> str:
    parts = []
    if len(series.band) > 1:
        edge = [(x, high) for x, _, high in series.band] + [(x, low) for x, low, _ in reversed(series.band)]
        parts.append(f'<polygon class="band f{index}" points="{_places(edge, frame)}"/>')
    for x, low, high in series.band:
        parts.append(f'<path class="bar s{index}" d="M{frame.x(x)} {frame.y(low)}V{frame.y(high)}"/>')
    if series.points:
        faint = " thin" if series.thin else ""
        points = _places(_thinned(series.points), frame)
        parts.append(f'<polyline class="s{index}{faint}" points="{points}"/>')
    if len(series.points) <= 30 and not series.thin:
        parts += [
            f'<circle class="f{index}" cx="{frame.x(x)}" cy="{frame.y(y)}" r="3"/>' for x, y in series.points
        ]
    for x, sentence in sorted(series.marks.items()):
        at = frame.x(x)
        said = html.escape(sentence)
        parts.append(f'<path class="mark" d="M{at} {frame.top - 13}l6 11h-12z"><title>{said}</title></path>')
    return "".join(parts)


def _legend(series: Sequence[Series], width: int) -> tuple[str, int]:
    """The series' names under the title when there are several, and how many lines they take."""
    if len(series) < 2:
        return "", 0
    parts, x, row = [], 2.0, 0
    for index, one in enumerate(series):
        needed = 30 + _CHARACTER * len(one.label) + 12
        if x > 2 and x + needed > width:
            x, row = 2.0, row + 1
        y = _TOP + row * _LINE + 10
        faint = " thin" if one.thin else ""
        parts.append(
            f'<path class="bar s{index}{faint}" d="M{x:g} {y - 4}h24"/>{draw_text(x + 30, y, one.label, "start")}'
        )
        x += needed
    return "".join(parts), row + 1


def _spoken(series: Series) -> str:
    """What a screen reader says of a series: few values all, many by their ends."""
    values = [f"{y:.3g} at {x:g}" for x, y in series.points]
    told = ", ".join(values if len(values) <= 12 else [values[0], "...", values[-1]]) or "no values"
    marks = "".join(f". At {x:g}: {sentence}" for x, sentence in sorted(series.marks.items()))
    return f"{series.label}, {told}{marks}" if series.label else f"{told}{marks}"


def _check_finite(title: str, series: Sequence[Series]) -> None:
    for one in series:
        numbers = [*(number for point in one.points for number in point), *one.marks]
        numbers += [number for part in one.band for number in part]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"{title}: {one.label or 'series'}: a number that is not finite can't be drawn")


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = math.ceil(len(points) / MOST_POINTS)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _places(points: Sequence[tuple[float, float]], frame: Frame) -> str:
    return " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in points)
