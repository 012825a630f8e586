"""Where the small plots beside a table's numbers have their marks; `marks.html.j2` draws them."""

from dataclasses import dataclass

WIDTH = 180.0
_EDGE = 7.0  # so that a mark at either end is whole


@dataclass(frozen=True)
class Spread:
    """Places in pixels on a line from 0 to 100 %; None where a share is unknown."""

    before: float | None
    after: float | None
    low: float | None
    high: float | None


def spread(value: float | None, low: float | None, high: float | None) -> Spread:
    """One share and the bounds of its interval."""
    if value is None or low is None or high is None:
        return Spread(None, _x(value), None, None)
    return Spread(None, _x(value), _x(low), _x(high))


def dumbbell(before: float | None, after: float | None, bounds: tuple[float, float] | None) -> Spread:
    """Both shares, and where the bounds of their difference put the later one."""
    if before is None or bounds is None:
        return Spread(_x(before), _x(after), None, None)
    return Spread(_x(before), _x(after), _x(before + bounds[0]), _x(before + bounds[1]))


def _x(share: float | None) -> float | None:
    return None if share is None else round(_EDGE + max(0.0, min(1.0, share)) * (WIDTH - 2 * _EDGE), 1)
