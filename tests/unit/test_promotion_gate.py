"""The comparison and the gate, on small evaluations whose outcome is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from components.contracts.records import Question, Trace
from components.promotion.comparison import Comparison, compare, summary_of
from components.promotion.gate import decide
from components.promotion.settings import PromotionSettings
from components.promotion.words import points
from components.scoring.pairing import pair_by_id
from tests.evaluation_samples import judged, make_questions, trace, trained, untrained

Policy = Callable[[Question], Trace]
FAST = PromotionSettings(samples=400)


def compared(
    before: Policy, after: Policy, settings: PromotionSettings = FAST, *, count: int = 20, kinds: str = ""
) -> Comparison:
    questions = [asked for asked in make_questions(count) if not kinds or asked.kind in kinds]
    sides = [[judged(policy(asked)) for asked in questions] for policy in (before, after)]
    pairs = pair_by_id(*([item for _, item in side] for side in sides))
    traces = [{one.question.id: one for one, _ in side} for side in sides]
    return compare(pairs, traces[0], traces[1], settings)


def failed(comparison: Comparison, settings: PromotionSettings = FAST) -> list[str]:
    return [check.name for check in decide(comparison, settings).checks if not check.passed]


def calls_always(asked: Question) -> Trace:
    return trace(asked, answer=asked.answers[0], tool="calculator")


def never_calls(asked: Question) -> Trace:
    return trace(asked, answer=asked.answers[0])


def wrong_without_tool(share: float) -> Policy:
    """Like `trained`, but wrong on a share of the questions that need no tool."""

    def policy(asked: Question) -> Trace:
        wrong = asked.kind == "no_tool" and (int(asked.answers[0]) - 10) < round(share * 20)
        return trace(asked, answer="wrong") if wrong else trained(asked)

    return policy


def test_a_better_policy_is_promoted() -> None:
    comparison = compared(untrained, trained)
    assert failed(comparison) == []
    assert decide(comparison, FAST).promoted


def test_no_better_is_not_promoted() -> None:
    assert failed(compared(trained, trained)) == ["better"]
    assert "better" in failed(compared(trained, untrained))


@pytest.mark.parametrize(("fixed", "promoted"), [(5, False), (6, True)])
def test_a_handful_of_questions_set_right_is_chance(fixed: int, promoted: bool) -> None:
    """Half a one in 2^5 is more than 2.5 %, in 2^6 it is less; the bootstrap's lower bound is above zero in both."""
    right = {asked.id for asked in make_questions(20) if asked.kind == "arithmetic"}
    chosen = set(sorted(right)[:fixed])

    def before(asked: Question) -> Trace:
        return trace(asked, answer="wrong" if asked.id in chosen else asked.answers[0], tool="calculator")

    def after(asked: Question) -> Trace:
        return trace(asked, answer=asked.answers[0], tool="calculator")

    comparison = compared(before, after, kinds="arithmetic")
    assert comparison.groups["overall"].differences["accuracy"].low > 0  # type: ignore[union-attr]
    checks = {check.name: check for check in decide(comparison, FAST).checks}
    assert checks["better"].passed == promoted
    assert (f"But only {fixed} answers changed" in checks["better"].reason) != promoted


def test_calls_that_run_away_are_not_promoted() -> None:
    comparison = compared(calls_always, calls_always, kinds="arithmetic")
    assert "no_runaway" not in failed(comparison)
    assert "no_runaway" not in failed(
        comparison, PromotionSettings(samples=400, max_invoke_rate=0.5)
    )  # as before
    assert "no_runaway" in failed(
        compared(never_calls, calls_always, kinds="arithmetic"),
        PromotionSettings(samples=400, max_invoke_rate=0.5),
    )


def test_collapsed_tool_use_is_not_promoted() -> None:
    def hesitant(asked: Question) -> Trace:
        return trace(asked, answer="wrong", tool="" if asked.kind == "no_tool" else "calculator")

    assert failed(compared(hesitant, never_calls)) == ["tool_use_kept"]


def test_overuse_is_not_promoted() -> None:
    assert failed(compared(untrained, calls_always)) == ["no_overuse"]
    assert failed(compared(untrained, calls_always), PromotionSettings(max_no_tool_invoke_rate=1.0)) == []


@pytest.mark.parametrize(("share", "names"), [(0.0, []), (0.05, []), (0.1, ["no_tool_accuracy"])])
def test_a_fall_of_exactly_the_margin_is_allowed(share: float, names: list[str]) -> None:
    def right_without_tool(asked: Question) -> Trace:
        return never_calls(asked) if asked.kind == "no_tool" else untrained(asked)

    assert failed(compared(right_without_tool, wrong_without_tool(share))) == names


def test_without_kinds_apart_all_questions_count() -> None:
    comparison = compared(untrained, trained, kinds="arithmetic")
    assert "no_tool" not in comparison.groups
    assert [check.name for check in decide(comparison, FAST).checks] == [
        "better",
        "tool_use_kept",
        "no_runaway",
    ]
    only_without = compared(untrained, trained, kinds="no_tool")
    assert set(only_without.groups) == {"overall", "no_tool"}
    fewer_calls = decide(compared(calls_always, never_calls, kinds="no_tool"), FAST)
    assert [check.name for check in fewer_calls.checks] == ["better", "no_tool_accuracy", "no_overuse"]


def test_the_kinds_of_the_settings_decide_the_groups() -> None:
    comparison = compared(
        untrained, trained, PromotionSettings(samples=200, no_tool_kinds=("no_tool", "places"))
    )
    assert {name: group.questions for name, group in comparison.groups.items()} == {
        "overall": 60,
        "needs_tool": 20,
        "no_tool": 40,
        "arithmetic": 20,
        "places": 20,
    }


def test_the_summary_says_before_after_and_difference_by_group_and_tool() -> None:
    summary: Any = summary_of(compared(untrained, trained))
    for group in ("overall", "needs_tool", "no_tool", "arithmetic", "places"):
        accuracy = summary[group]["accuracy"]
        assert accuracy["after"] - accuracy["before"] == pytest.approx(accuracy["difference"]["mean"])
        assert (
            accuracy["difference"]["low"] <= accuracy["difference"]["mean"] <= accuracy["difference"]["high"]
        )
    assert summary["no_tool"]["pass_rate"] == {
        "before": None,
        "after": None,
        "difference": {"mean": None, "low": None, "high": None},
    }
    assert summary["tools"]["wikipedia_search"]["called_share"]["after"] == pytest.approx(1 / 3)
    assert summary["errors_before"]["parse_failure"] + summary["errors_before"]["missing_parameter"] > 0


def test_the_numbers_are_those_of_a_plain_count() -> None:
    """Accuracy by counting items, and its interval by resampling them one at a time."""
    questions = make_questions(20)
    right = np.array(
        [[judged(policy(asked))[1].correct for asked in questions] for policy in (untrained, trained)]
    )
    group = compared(untrained, trained, PromotionSettings(samples=4000)).groups["overall"]
    assert group.before.accuracy == right[0].mean()
    assert group.after.accuracy == right[1].mean()
    generator = np.random.default_rng(1)
    drawn = []
    for _ in range(4000):
        rows = generator.integers(0, len(questions), len(questions))
        drawn.append(right[1, rows].mean() - right[0, rows].mean())
    interval = group.differences["accuracy"]
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.03)


def test_points_have_a_sign_and_no_negative_zero() -> None:
    assert points(0.4) == "+40.0 points"
    assert points(-0.051) == "\u22125.1 points"
    assert points(-0.0001) == "+0.0 points"
