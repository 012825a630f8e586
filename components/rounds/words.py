"""How numbers and rounds are written in sentences and tables."""

from components.rounds.records import Difference

NONE = "\u2013"


def called(number: int) -> str:
    """A round in a sentence; number 0 is the base model."""
    return f"round {number}" if number else "the base model"


def percent(share: float | None) -> str:
    """A share in percent; a dash where it is undefined."""
    return NONE if share is None else f"{100 * share:.1f} %"


def points(share: float) -> str:
    """A number of percentage points."""
    return f"{100 * share:.1f} points"


def signed(share: float) -> str:
    """A difference in percentage points with its sign, without the word."""
    return f"{round(100 * share, 1) + 0.0:+.1f}".replace("-", "\u2212")


def points_between(found: Difference) -> str:
    """An interval in points: `-4.1 to +0.3`."""
    return f"{signed(found.low)} to {signed(found.high)}"
