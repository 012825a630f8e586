"""The gate: promoted only when surely better where tools are needed, and no worse elsewhere."""

from dataclasses import dataclass

from components.promotion.comparison import Compared, Comparison
from components.promotion.settings import PromotionSettings
from components.scoring.groups import NEEDS_TOOL, NO_TOOL, OVERALL, group_label


@dataclass(frozen=True)
class Check:
    """One condition of the gate, and one sentence that says how it came out."""

    name: str
    passed: bool
    reason: str


@dataclass(frozen=True)
class Decision:
    """Promoted when every check passed."""

    checks: tuple[Check, ...]

    @property
    def promoted(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def decide(comparison: Comparison, settings: PromotionSettings) -> Decision:
    """Judge a comparison.

    Accuracy where a tool is needed (overall when the kinds are not told apart) must rise with the
    interval's lower bound above zero; tool use there must not collapse; where none is needed,
    accuracy may not fall by more than the margin and calls may not pass the maximum.
    """
    name = NEEDS_TOOL if NEEDS_TOOL in comparison.groups else OVERALL
    checks = [
        _better(name, comparison.groups[name], settings),
        _not_collapsed(name, comparison.groups[name], settings),
    ]
    without = comparison.groups.get(NO_TOOL)
    if without is not None:
        checks += [_no_worse(without, settings), _not_overused(without, settings)]
    return Decision(tuple(checks))


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


def _better(name: str, group: Compared, settings: PromotionSettings) -> Check:
    interval = group.differences["accuracy"]
    assert interval is not None, "every question is judged"
    passed = interval.low > 0
    words = "above zero" if passed else "not above zero"
    return Check(
        "better",
        passed,
        f"Accuracy on {group_title(name)} changed by {points(interval.mean)}; the lower bound of the "
        f"{100 * settings.confidence:g} % interval, {points(interval.low)}, is {words}.",
    )


def _not_collapsed(name: str, group: Compared, settings: PromotionSettings) -> Check:
    before, after = group.before.called_share or 0.0, group.after.called_share or 0.0
    needed = settings.min_kept_tool_use * before
    passed = after >= needed
    return Check(
        "tool_use_kept",
        passed,
        f"A tool is called on {percent(after)} of {group_title(name)}, before it was {percent(before)}; "
        f"at least {percent(needed)} must be left.",
    )


def _no_worse(group: Compared, settings: PromotionSettings) -> Check:
    interval = group.differences["accuracy"]
    assert interval is not None, "every question is judged"
    # Shares are sums of counts: a fall of exactly the margin must not fail by a rounding error.
    passed = interval.mean >= -settings.no_tool_margin - 1e-9
    return Check(
        "no_tool_accuracy",
        passed,
        f"Accuracy on {group_title(NO_TOOL)} changed by {points(interval.mean)}; a fall of "
        f"{100 * settings.no_tool_margin:g} points is the most allowed.",
    )


def _not_overused(group: Compared, settings: PromotionSettings) -> Check:
    rate = group.after.invoke_rate or 0.0
    passed = rate <= settings.max_no_tool_invoke_rate + 1e-9
    return Check(
        "no_overuse",
        passed,
        f"The invoke rate on {group_title(NO_TOOL)} is {percent(rate)}; "
        f"{100 * settings.max_no_tool_invoke_rate:g} % is the most allowed.",
    )
