"""The box of a plot and its axes as SVG: from values to pixels, and the numbers beside it."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

_LEFT, _RIGHT = 48, 14
_MARK = 16  # room above the box for signs


@dataclass(frozen=True)
class Frame:
    """The plot's box in pixels, and the range of each axis."""

    left: float
    right: float
    top: float
    bottom: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        return round(
            self.left + (value - self.x_low) / (self.x_high - self.x_low) * (self.right - self.left), 1
        )

    def y(self, value: float) -> float:
        return round(
            self.bottom - (value - self.y_low) / (self.y_high - self.y_low) * (self.bottom - self.top), 1
        )


def frame_around(
    across: Sequence[float], up: Sequence[float], width: int, *, top: float, bottom: float
) -> Frame:
    """The box of a plot `width` pixels wide whose axes reach all these values; zero is always on the y axis."""
    wide = across or (0.0, 1.0)
    first, last, low, high = min(wide), max(wide), min([0.0, *up]), max([0.0, *up])
    return Frame(
        left=_LEFT,
        right=width - _RIGHT,
        top=top + _MARK,
        bottom=bottom,
        x_low=first if last > first else first - 0.5,
        x_high=last if last > first else first + 0.5,
        y_low=low,
        y_high=high if high > low else low + 1.0,
    )


def nice_step(rough: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= rough * 0.999)


def draw_axes(
    frame: Frame, x_label: str, y_label: str, *, percent: bool, x_axis: bool, x_names: Sequence[str] = ()
) -> str:
    """Both axes with their numbers and labels. percent: values are shares. x_axis: with the numbers and label of x.

    x_names: stand at 0, 1, 2 ... in place of numbers.
    """
    parts = [f'<path class="axis" d="M{frame.left} {frame.top}V{frame.bottom}H{frame.right}"/>']
    step = nice_step((frame.y_high - frame.y_low) / 5)
    for n in range(math.ceil(frame.y_low / step - 1e-9), math.floor(frame.y_high / step + 1e-9) + 1):
        y = frame.y(n * step)
        shown = f"{100 * n * step:g} %" if percent else f"{n * step:g}"
        parts.append(f'<path class="axis" d="M{frame.left} {y}H{frame.right}" stroke-dasharray="1 3"/>')
        parts.append(draw_text(frame.left - 6, y + 4, shown, "end"))
    if x_axis and x_names:
        for n, name in enumerate(x_names):
            parts.append(draw_text(frame.x(n), frame.bottom + 16, name, "middle"))
    elif x_axis:
        step = max(1.0, nice_step((frame.x_high - frame.x_low) / 5))
        for n in range(math.ceil(frame.x_low / step), math.floor(frame.x_high / step) + 1):
            parts.append(draw_text(frame.x(n * step), frame.bottom + 16, f"{n * step:g}", "middle"))
    if x_axis:
        parts.append(draw_text((frame.left + frame.right) / 2, frame.bottom + 33, x_label, "middle"))
    middle = (frame.top + frame.bottom) / 2
    turned = f' transform="rotate(-90 11 {middle:g})"'
    return "".join(parts) + draw_text(11, middle, y_label, "middle", turned)


def draw_text(x: float, y: float, text: str, anchor: str, turned: str = "") -> str:
    """The text at a place in pixels; none for an empty one. turned: a `transform` attribute."""
    if not text:
        return ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{turned}>{html.escape(text)}</text>'
