"""The gate: promoted only when surely better where it is to be better, and no worse elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.promotion.checks import (
    Check,
    better,
    bounded_calls,
    kept_calling,
    not_fallen,
    not_overused,
    not_run_away,
    not_surely_fallen,
)
from components.promotion.comparison import Comparison
from components.promotion.settings import PromotionSettings
from components.promotion.suites import Suites
from components.promotion.words import group_title
from components.scoring.groups import NEEDS_TOOL, NO_TOOL, OVERALL

PROMOTED, KEPT_BACK = "promoted", "kept back"


@dataclass(frozen=True)
class Decision:
    """Promoted when every check passed."""

    checks: tuple[Check, ...]

    @property
    def promoted(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def word(self) -> str:
        """PROMOTED or KEPT_BACK: what the stage returns."""
        return PROMOTED if self.promoted else KEPT_BACK


def decide(comparison: Comparison, settings: PromotionSettings, suites: Suites | None = None) -> Decision:
    """Judge a comparison of the users' own questions, and the suites beside them.

    Accuracy must rise on each target, with the interval's lower bound above zero; on no regression suite may the
    observed accuracy fall by more than the margin, and no suite of a target family may fall for certain. Tool use
    must not collapse where tools are wanted, nor run away where they are not; where none is needed, accuracy may not
    fall by more than its own margin.

    suites: None where only the own questions were judged, which then are the target.
    """
    name = NEEDS_TOOL if NEEDS_TOOL in comparison.groups else OVERALL
    main, title = comparison.groups[name], group_title(name)
    checks = []
    if suites is None or suites.own_is_target:
        checks.append(better("better", title, main, settings))
    if suites is not None:
        checks += [
            better(f"better:{entry}", entry, group, settings) for entry, group in suites.targets.items()
        ]
    if suites is None or suites.has_own:
        if name == NEEDS_TOOL:
            checks.append(kept_calling("tool_use_kept", title, main, settings))
            checks.append(bounded_calls("no_runaway", title, main, settings))
        without = comparison.groups.get(NO_TOOL)
        if without is not None:
            where = group_title(NO_TOOL)
            checks += [
                not_fallen("no_tool_accuracy", where, without, settings.no_tool_margin),
                not_overused("no_overuse", where, without, settings),
            ]
    if suites is not None:
        checks += _beside(suites, settings)
    return Decision(tuple(checks))


def _beside(suites: Suites, settings: PromotionSettings) -> Iterator[Check]:
    for name in suites.regressions:
        where = suites.title(name)
        yield not_fallen(f"not_fallen:{name}", where, suites.by_name[name], settings.regression_margin)
    for name in suites.members:
        yield not_surely_fallen(
            f"not_sunk:{name}", name, suites.by_name[name], settings, looked_at=len(suites.members)
        )
    for name, group in suites.by_name.items():
        if name == suites.own:  # has its groups
            continue
        if name in suites.without_tool:
            yield not_run_away(f"no_overuse:{name}", name, group, settings)
        elif group.before.called_share or group.after.called_share:
            if group.before.called_share:
                yield kept_calling(f"tool_use_kept:{name}", name, group, settings)
            yield bounded_calls(f"no_runaway:{name}", name, group, settings)
