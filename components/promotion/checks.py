"""The conditions that the gate is made of: each looks at one group of questions and says one sentence."""

from dataclasses import dataclass

from components.promotion.comparison import Compared
from components.promotion.settings import PromotionSettings
from components.promotion.words import percent, points
from components.scoring.bootstrap import Interval
from components.scoring.sign_test import sign_test

FEW = 100  # questions; with fewer an interval is seldom less than ten points wide, and the sentence says how wide
ROUNDING = 1e-9  # shares are sums of counts: a fall of exactly the margin must not fail by a rounding error


@dataclass(frozen=True)
class Check:
    """One condition of the gate, and one sentence that says how it came out."""

    name: str
    passed: bool
    reason: str


def better(name: str, where: str, group: Compared, settings: PromotionSettings) -> Check:
    """Accuracy rose: the interval's lower bound is above zero, and not by a handful of questions alone (`sign_test`).

    where: what the sentence calls the questions.
    """
    interval = _of_accuracy(group)
    words = "above zero" if interval.low > 0 else "not above zero"
    reason = (
        f"Accuracy on {where} changed by {points(interval.mean)}; the lower bound of the "
        f"{100 * settings.confidence:g} % interval, {points(interval.low)}, is {words}{_few(group)}."
    )
    chance = sign_test(group.fixed, group.broken)
    too_few = interval.low > 0 and chance > (1 - settings.confidence) / 2
    if too_few:
        reason += (
            f" But only {group.fixed + group.broken} answers changed, {group.fixed} of them for the better: as many "
            f"would by chance with a probability of {100 * chance:.1f} %."
        )
    return Check(name, interval.low > 0 and not too_few, reason)


def not_fallen(name: str, where: str, group: Compared, margin: float) -> Check:
    """The observed accuracy fell by no more than `margin`, a share."""
    interval = _of_accuracy(group)
    return Check(
        name,
        interval.mean >= -margin - ROUNDING,
        f"Accuracy on {where} changed by {points(interval.mean)}; a fall of {100 * margin:g} points is "
        f"the most allowed{_few(group)}.",
    )


def not_surely_fallen(
    name: str, where: str, group: Compared, settings: PromotionSettings, *, looked_at: int
) -> Check:
    """Accuracy did not fall for certain: neither by the interval nor by the sign of what changed (`sign_test`).

    looked_at: so many groups are asked this, each of which would fall by chance now and then: all together they
    share the error that one alone may have (Bonferroni).
    """
    interval = _of_accuracy(group)
    chance = sign_test(group.broken, group.fixed)
    most = (1 - settings.confidence) / 2 / looked_at
    fell = interval.high < 0 and chance <= most
    reason = f"Accuracy on {where} changed by {points(interval.mean)}: "
    reason += "a certain fall" if fell else "no certain fall"
    if group.broken > group.fixed:
        reason += (
            f"; of {group.fixed + group.broken} answers that changed {group.broken} became wrong; as many would by "
            f"chance with a probability of {100 * chance:.2g} %, and up to {100 * most:.2g} % is certain"
        )
    return Check(name, not fell, f"{reason}{_few(group)}.")


def kept_calling(name: str, where: str, group: Compared, settings: PromotionSettings) -> Check:
    """Tool use has not collapsed: a share of the earlier one is left."""
    before, after = group.before.called_share or 0.0, group.after.called_share or 0.0
    needed = settings.min_kept_tool_use * before
    return Check(
        name,
        after >= needed - ROUNDING,
        f"A tool is called on {percent(after)} of {where}, before it was {percent(before)}; "
        f"at least {percent(needed)} must be left.",
    )


def bounded_calls(name: str, where: str, group: Compared, settings: PromotionSettings) -> Check:
    """The invoke rate where tools are needed has not run away: it is at most the maximum, or what it was before."""
    before, after = group.before.invoke_rate or 0.0, group.after.invoke_rate or 0.0
    most = max(settings.max_invoke_rate, before)
    return Check(
        name,
        after <= most + ROUNDING,
        f"The first turn makes {after:.2f} calls on {where}, before it was {before:.2f}; {most:.2f} is the most allowed.",
    )


def not_overused(name: str, where: str, group: Compared, settings: PromotionSettings) -> Check:
    """The invoke rate where no tool is needed is not above its maximum."""
    rate = group.after.invoke_rate or 0.0
    return Check(
        name,
        rate <= settings.max_no_tool_invoke_rate + ROUNDING,
        f"The invoke rate on {where} is {percent(rate)}; "
        f"{100 * settings.max_no_tool_invoke_rate:g} % is the most allowed.",
    )


def not_run_away(name: str, where: str, group: Compared, settings: PromotionSettings) -> Check:
    """Where a suite wants no call, no more are made than the maximum, or than before where that was more."""
    before, after = group.before.called_share or 0.0, group.after.called_share or 0.0
    most = max(settings.max_no_tool_invoke_rate, before)
    return Check(
        name,
        after <= most + ROUNDING,
        f"A tool is called on {percent(after)} of {where}, which want no call, before it was "
        f"{percent(before)}; {percent(most)} is the most allowed.",
    )


def _of_accuracy(group: Compared) -> Interval:
    interval = group.differences["accuracy"]
    assert interval is not None, "every question is judged"
    return interval


def _few(group: Compared) -> str:
    if group.questions >= FEW:
        return ""
    noun = "question" if group.questions == 1 else "questions"
    if not group.fixed + group.broken:  # the bootstrap's interval has no width then, however few there are
        return f" (only {group.questions} {noun}, of which none changed)"
    interval = _of_accuracy(group)
    width = f"{100 * (interval.high - interval.low):.1f} points wide"
    return f" (only {group.questions} {noun}: the interval is {width})"
