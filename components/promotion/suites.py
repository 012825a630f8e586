"""The suites that were judged beside the users' own questions: compared one by one, and what the gate asks of each."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.nearest import nearest
from components.promotion.comparison import Compared, Pair, compare_group, metrics_of
from components.promotion.settings import PromotionSettings
from components.scoring.bfcl.reference import FAMILY, IRRELEVANCE_GROUPS

TARGET, REGRESSION = "target", "regression"


@dataclass(frozen=True)
class Suites:
    """own: what the users' own questions are called as a suite, their split's name; has_own: whether there are any.

    by_name: each suite that was judged, the own one included, in the order of the items; together: all as one.
    targets: by the names of `target_suites`, each with all questions that it names as one group.
    own_is_target: accuracy must rise on the own questions, or on all where there are none.
    regressions: the suites that may not fall. members: suites that are a target only with others of their family, which
    may rise while they fall. without_tool: those whose questions want no call.
    """

    own: str
    has_own: bool
    by_name: Mapping[str, Compared]
    together: Compared
    targets: Mapping[str, Compared]
    own_is_target: bool
    regressions: tuple[str, ...]
    members: tuple[str, ...]
    without_tool: frozenset[str]

    def title(self, name: str) -> str:
        """What a sentence calls a suite."""
        return "your own questions" if name == self.own else name

    def role(self, name: str) -> str:
        """What the gate asks of a suite: TARGET, REGRESSION, or empty."""
        is_target = self.own_is_target if name == self.own else any(_names(one, name) for one in self.targets)
        return TARGET if is_target else REGRESSION if name in self.regressions else ""


def own_pairs(pairs: Sequence[Pair], own: str) -> list[Pair]:
    """The pairs of the users' own questions; all where there are none, as an evaluation does it."""
    return [pair for pair in pairs if pair[0].suite == own] or list(pairs)


def compare_suites(pairs: Sequence[Pair], own: str, settings: PromotionSettings) -> Suites:
    """Compare each suite; pairs: of all suites, at least one.

    Raises:
        InputError: a target or regression suite of the settings was not judged; the nearest is offered.
    """
    by_suite: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_suite.setdefault(pair[0].suite, []).append(pair)
    for setting in ("target_suites", "regression_suites"):
        _check_judged(setting, getattr(settings, setting), by_suite)
    has_own = own in by_suite
    named = [entry for entry in settings.target_suites if entry != own]
    own_is_target = not settings.target_suites or own in settings.target_suites
    aims = {*named, *([own] if own_is_target else [])}
    if settings.regression_suites:
        entries = settings.regression_suites
        regressions = [name for name in by_suite if any(_names(entry, name) for entry in entries)]
    else:
        regressions = [name for name in by_suite if not any(_names(entry, name) for entry in aims)]
    return Suites(
        own=own,
        has_own=has_own,
        by_name={name: compare_group(chosen, settings) for name, chosen in by_suite.items()},
        together=compare_group(pairs, settings),
        targets={
            entry: compare_group([pair for pair in pairs if _names(entry, pair[0].suite)], settings)
            for entry in named
        },
        own_is_target=own_is_target,
        regressions=tuple(regressions),
        members=tuple(_members(by_suite, named, regressions)),
        without_tool=frozenset(
            name for name, chosen in by_suite.items() if _wants_no_call(name, chosen, settings)
        ),
    )


def summary_of_suites(suites: Suites) -> dict[str, JsonValue]:
    """`suites` of summary.json, by name: `questions`, `role` and the metrics of a group; `all_suites`: of all as one."""
    return {
        "suites": {
            name: {"questions": group.questions, "role": suites.role(name), **metrics_of(group)}
            for name, group in suites.by_name.items()
        },
        "all_suites": {"questions": suites.together.questions, **metrics_of(suites.together)},
    }


def suite_metrics(suites: Suites) -> dict[str, float]:
    """What KFP's Metrics shows: of each suite but the own accuracy before and after, and the difference's interval."""
    found: dict[str, float] = {}
    for name, group in suites.by_name.items():
        interval = group.differences["accuracy"]
        if name == suites.own or interval is None:
            continue
        prefix = f"suite_{name.replace(':', '_')}_accuracy"
        found[f"{prefix}_before"], found[f"{prefix}_after"] = (
            group.before.accuracy or 0.0,
            group.after.accuracy or 0.0,
        )
        found[f"{prefix}_difference"] = interval.mean
        found[f"{prefix}_difference_low"], found[f"{prefix}_difference_high"] = interval.low, interval.high
    return found


def _members(judged: Iterable[str], targets: Sequence[str], looked_at: Collection[str]) -> Iterator[str]:
    """The suites that a target's family alone names, where it names several. looked_at: by another check already."""
    names = list(judged)
    for name in names:
        families = [one for one in targets if one != name and _names(one, name)]
        if name in targets or name in looked_at or not families:
            continue
        if any(_names(families[0], other) for other in names if other != name):
            yield name


def _names(entry: str, suite: str) -> bool:
    """Whether an entry of the settings names a suite: itself, or its family ("bfcl")."""
    return suite == entry or suite.startswith(f"{entry}:")


def _check_judged(setting: str, entries: Iterable[str], judged: Iterable[str]) -> None:
    known = list(judged)
    for entry in entries:
        if not any(_names(entry, suite) for suite in known):
            raise InputError(
                f"promotion_settings: {setting}: {entry!r} was not judged{nearest(entry, known)}; "
                f"judged: {', '.join(known)}"
            )


def _wants_no_call(name: str, pairs: Sequence[Pair], settings: PromotionSettings) -> bool:
    if name in {f"{FAMILY}{group}" for group in IRRELEVANCE_GROUPS}:
        return True
    return all(before.kind in settings.no_tool_kinds for before, _ in pairs)
