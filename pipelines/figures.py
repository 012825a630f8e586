"""Rates and differences as the terminal shows them: in percent, and in points with their interval."""

from collections.abc import Mapping

NO_CHANGE = "no change"  # a bootstrap of differences that are all zero has no width, which is no certainty


def percent(value: float | None) -> str:
    """`41.7`; a dash where the rate is undefined."""
    return "-" if value is None else f"{100 * value:.1f}"


def difference_and_interval(difference: Mapping[str, float] | None) -> tuple[str, str]:
    """`+55.0` and `+48.8 to +61.2` of a mean, low and high; dashes where it is undefined."""
    if not difference or difference.get("mean") is None:
        return "-", "-"
    mean, low, high = (100 * difference[key] for key in ("mean", "low", "high"))
    interval = NO_CHANGE if mean == low == high == 0 else f"{low:+.1f} to {high:+.1f}"
    return f"{mean:+.1f}", interval
