"""How numbers and groups of questions are called in sentences."""

from components.scoring.groups import NEEDS_TOOL, NO_TOOL, OVERALL, group_label


def group_title(name: str) -> str:
    """How a group of questions is called in a sentence."""
    fixed = {
        OVERALL: "all questions",
        NEEDS_TOOL: "questions that need a tool",
        NO_TOOL: "questions that need no tool",
    }
    return fixed.get(name, f"{group_label(name).replace('_', ' ')} questions")


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    rounded = round(100 * share, 1) + 0.0  # no minus in front of a zero
    return f"{rounded:+.1f} points".replace("-", "\u2212")


def percent(share: float | None) -> str:
    """A share in percent; a dash where it is undefined."""
    return "\u2013" if share is None else f"{100 * share:.1f} %"
