"""Before against after, over the same questions: rates and intervals by group and by tool."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from pydantic import JsonValue

from components.contracts.records import EvaluationItem, Trace
from components.contracts.tool_schemas import parse_tools, tool_name
from components.promotion.settings import PromotionSettings
from components.scoring.bootstrap import Interval
from components.scoring.call_rates import CALL_METRICS, call_differences, call_rates
from components.scoring.groups import group_items
from components.scoring.tool_use import (
    METRICS,
    Counts,
    Rates,
    count_errors,
    counts_of,
    counts_of_tool,
    differences,
    rates_of_counts,
)

Pair = tuple[EvaluationItem, EvaluationItem]


@dataclass(frozen=True)
class Compared:
    """One group of questions, or one tool: rates on both sides and the intervals by metric."""

    questions: int
    before: Rates
    after: Rates
    differences: Mapping[str, Interval | None]
    calls_before: Mapping[str, float | None] = field(default_factory=dict)
    calls_after: Mapping[str, float | None] = field(default_factory=dict)
    fixed: int = 0  # questions right only after
    broken: int = 0  # right only before

    @property
    def metrics(self) -> tuple[str, ...]:
        """METRICS, and behind them CALL_METRICS where the group has questions judged by golds."""
        return (*METRICS, *self.calls_before)

    def rate(self, side: str, metric: str) -> float | None:
        """The rate of `side` ("before" or "after"); None where it is undefined."""
        calls = self.calls_before if side == "before" else self.calls_after
        if metric in calls:
            return calls[metric]
        value: float | None = getattr(self.before if side == "before" else self.after, metric)
        return value


@dataclass(frozen=True)
class Comparison:
    """Everything the gate, the card and the report are made from."""

    groups: Mapping[str, Compared]
    tools: Mapping[str, Compared]
    errors_before: Mapping[str, int]
    errors_after: Mapping[str, int]
    seconds: float


def compare(
    pairs: Sequence[Pair],
    traces_before: Mapping[str, Trace],
    traces_after: Mapping[str, Trace],
    settings: PromotionSettings,
) -> Comparison:
    """Compare paired items; the traces (by question id) give the rates of single tools."""
    groups = {}
    for name, places in group_items([before for before, _ in pairs], settings.no_tool_kinds).items():
        groups[name] = compare_group([pairs[place] for place in places], settings)
    tools = {}
    for tool in _offered(traces_before, traces_after):
        tools[tool] = _compared(
            [counts_of_tool(traces_before[before.id], tool) for before, _ in pairs],
            [counts_of_tool(traces_after[after.id], tool) for _, after in pairs],
            settings,
        )
    return Comparison(
        groups=groups,
        tools=tools,
        errors_before=_errors([before for before, _ in pairs]),
        errors_after=_errors([after for _, after in pairs]),
        seconds=round(sum(before.seconds + after.seconds for before, after in pairs), 3),
    )


def compare_group(pairs: Sequence[Pair], settings: PromotionSettings) -> Compared:
    """All metrics of these questions, before against after."""
    compared = _compared(
        [counts_of(before) for before, _ in pairs], [counts_of(after) for _, after in pairs], settings
    )
    return _with_calls(compared, pairs, settings)


def summary_of(comparison: Comparison) -> dict[str, JsonValue]:
    """`summary.json`: each group's metrics with before, after and difference; null where undefined."""
    return {
        **{name: metrics_of(group) for name, group in comparison.groups.items()},
        "tools": {name: metrics_of(tool) for name, tool in comparison.tools.items()},
        "questions": {name: group.questions for name, group in comparison.groups.items()},
        "errors_before": dict(comparison.errors_before),
        "errors_after": dict(comparison.errors_after),
        "seconds": comparison.seconds,
    }


def _compared(before: Sequence[Counts], after: Sequence[Counts], settings: PromotionSettings) -> Compared:
    intervals = differences(
        before, after, samples=settings.samples, seed=settings.seed, confidence=settings.confidence
    )
    changes = [other.correct - one.correct for one, other in zip(before, after, strict=True)]
    return Compared(
        questions=len(before),
        before=rates_of_counts(before),
        after=rates_of_counts(after),
        differences=intervals,
        fixed=sum(change > 0 for change in changes),
        broken=sum(change < 0 for change in changes),
    )


def _with_calls(compared: Compared, pairs: Sequence[Pair], settings: PromotionSettings) -> Compared:
    """The group with TS, PI, CF and their like, where it has questions that are judged by golds."""
    before, after = [one for one, _ in pairs], [other for _, other in pairs]
    if not any(item.tool_selected is not None for item in (*before, *after)):
        return compared
    found = call_differences(
        before, after, samples=settings.samples, seed=settings.seed, confidence=settings.confidence
    )
    rates_before, rates_after = call_rates(before), call_rates(after)
    return replace(
        compared,
        differences={**compared.differences, **{metric: found[metric] for metric in CALL_METRICS}},
        calls_before={metric: rates_before[metric] for metric in CALL_METRICS},
        calls_after={metric: rates_after[metric] for metric in CALL_METRICS},
    )


def metrics_of(compared: Compared) -> dict[str, JsonValue]:
    """Each metric with `before`, `after` and `difference` (`mean`, `low`, `high`); null where undefined."""
    found: dict[str, JsonValue] = {}
    for metric in compared.metrics:
        interval = compared.differences[metric]
        unknown: dict[str, JsonValue] = {"mean": None, "low": None, "high": None}
        found[metric] = {
            "before": compared.rate("before", metric),
            "after": compared.rate("after", metric),
            "difference": asdict(interval) if interval else unknown,
        }
    return found


def _errors(items: Sequence[EvaluationItem]) -> dict[str, int]:
    return {error.value: count for error, count in count_errors(items).items()}


def _offered(*sides: Mapping[str, Trace]) -> list[str]:
    # Almost all traces offer the same tools: parse each text once. Tools that questions bring along are
    # seldom offered twice, and say nothing one by one.
    texts = {trace.tools for side in sides for trace in side.values() if not trace.question.offered}
    return sorted({tool_name(tool) for text in texts for tool in parse_tools(text)})
