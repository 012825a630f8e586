"""The run's policies beside each other: how each did on all questions and on each suite, with intervals."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem
from components.contracts.report_page.trace_view import fault_of
from components.promotion.comparison import Compared, Pair
from components.promotion.settings import PromotionSettings
from components.promotion.suites import Suites
from components.scoring.bootstrap import Interval, paired_bootstrap
from components.scoring.share_interval import share_interval
from components.scoring.tool_use import count_errors

BEFORE, ON_THE_WAY, AFTER = "before", "on the way", "after"


@dataclass(frozen=True)
class Standing:
    """One policy: its accuracy, the difference to the first one (None for that itself), and its rate of calls."""

    role: str
    title: str
    accuracy: Interval
    difference: Interval | None
    called_share: float
    seconds: float
    tokens: int


@dataclass(frozen=True)
class SuiteRow:
    """One suite: the accuracy of each standing (None: it did not judge it), and before against after."""

    title: str
    role: str
    questions: int
    accuracies: Sequence[Interval | None]
    compared: Compared

    @property
    def difference(self) -> Interval | None:
        """Of accuracy, after minus before."""
        return self.compared.differences["accuracy"]


@dataclass(frozen=True)
class Leaderboard:
    """standings: before, on the way, after, on the users' own questions, or on all where there are none (has_own).
    suites: empty where only one was judged.

    faults, errors: of all suites, how many questions have what wrong with them, and how many calls got which error.
    noise: RoTBench's rows of the summaries. All three by side, "before" and "after"; a side may lack noise.
    """

    questions: int
    has_own: bool
    standings: Sequence[Standing]
    suites: Sequence[SuiteRow]
    faults: Mapping[str, Mapping[str, int]]
    errors: Mapping[str, Mapping[str, int]]
    noise: Mapping[str, Sequence[Mapping[str, JsonValue]]]


def build_leaderboard(
    evaluations: Mapping[str, Artifact],
    own: Sequence[Pair],
    pairs: Sequence[Pair],
    suites: Suites,
    settings: PromotionSettings,
) -> Leaderboard:
    """evaluations: by role, in the order in which the policies were made; the first and the last are `pairs`' sides.

    own: pairs of the users' own questions. pairs: of all suites.

    Raises:
        InputError: a policy on the way judged other questions.
    """
    firsts, lasts = ({pair[side].id: pair[side] for pair in pairs} for side in (0, 1))
    judged = dict.fromkeys(evaluations, firsts)
    for role, evaluation in evaluations.items():
        if role not in (BEFORE, AFTER):
            read = read_records(evaluation.path("items.jsonl"), EvaluationItem)
            judged[role] = {item.id: item for item in read}
    judged[AFTER] = lasts
    first = [one for one, _ in own]
    sides = {BEFORE: list(firsts.values()), AFTER: list(lasts.values())}
    noise = {role: _noise(evaluations[role]) for role in sides}
    return Leaderboard(
        questions=len(own),
        has_own=suites.has_own,
        standings=[
            _standing(role, evaluations[role], [items[one.id] for one in first], first, settings)
            for role, items in judged.items()
        ],
        suites=_suite_rows(judged, pairs, suites, settings) if len(suites.by_name) > 1 else [],
        faults={side: Counter(filter(None, map(fault_of, items))) for side, items in sides.items()},
        errors={
            side: {error.value: count for error, count in count_errors(items).items()}
            for side, items in sides.items()
        },
        noise={role: rows for role, rows in noise.items() if rows},
    )


def _suite_rows(
    judged: Mapping[str, Mapping[str, EvaluationItem]],
    pairs: Sequence[Pair],
    suites: Suites,
    settings: PromotionSettings,
) -> list[SuiteRow]:
    """One for each suite, and behind them all as one."""
    ids: dict[str, list[str]] = {}
    for before, _ in pairs:
        ids.setdefault(before.suite, []).append(before.id)

    def row(title: str, role: str, chosen: Sequence[str], compared: Compared) -> SuiteRow:
        accuracies = [
            _accuracy([items[one] for one in chosen], settings) if set(chosen) <= items.keys() else None
            for items in judged.values()
        ]
        return SuiteRow(title, role, compared.questions, accuracies, compared)

    rows = [
        row(suites.title(name), suites.role(name), ids[name], group) for name, group in suites.by_name.items()
    ]
    together = [one for chosen in ids.values() for one in chosen]
    return [*rows, row("all together", "", together, suites.together)]


def _standing(
    role: str,
    evaluation: Artifact,
    items: Sequence[EvaluationItem],
    first: Sequence[EvaluationItem],
    settings: PromotionSettings,
) -> Standing:
    return Standing(
        role=role,
        title=str(evaluation.manifest.details.get("title") or role),
        accuracy=_accuracy(items, settings),
        difference=None if role == BEFORE else _difference(first, items, settings),
        called_share=sum(item.calls > 0 for item in items) / len(items),
        seconds=sum(item.seconds for item in items),
        tokens=sum(item.tokens for item in items),
    )


def _accuracy(items: Sequence[EvaluationItem], settings: PromotionSettings) -> Interval:
    return share_interval(sum(item.correct for item in items), len(items), confidence=settings.confidence)


def _difference(
    before: Sequence[EvaluationItem], after: Sequence[EvaluationItem], settings: PromotionSettings
) -> Interval:
    return paired_bootstrap(
        _right(before),
        _right(after),
        samples=settings.samples,
        seed=settings.seed,
        confidence=settings.confidence,
    )


def _right(items: Sequence[EvaluationItem]) -> list[float]:
    return [float(item.correct) for item in items]


def _noise(evaluation: Artifact) -> list[Mapping[str, JsonValue]]:
    """RoTBench's levels as the evaluation's summary has them; empty where it has none."""
    summary = json.loads(evaluation.path("summary.json").read_text(encoding="utf-8"))
    return list(summary.get("noise") or [])
