"""The rates of an evaluation by group and by tool, as they stand in `summary.json`."""

from collections.abc import Collection, Sequence
from dataclasses import asdict

from pydantic import JsonValue

from components.contracts.records import EvaluationItem, Trace
from components.scoring.groups import OVERALL, group_kinds
from components.scoring.tool_use import METRICS, Counts, count_errors, counts_of_tool, rates, rates_of_counts

ToolCounts = dict[str, list[Counts]]


def count_tools(trace: Trace, tools: Collection[str]) -> dict[str, Counts]:
    """The counts of each offered tool in one trace."""
    return {tool: counts_of_tool(trace, tool) for tool in tools}


def summarize(
    items: Sequence[EvaluationItem], tools: ToolCounts, *, no_tool_kinds: Collection[str]
) -> dict[str, JsonValue]:
    """Rates under each group's name, `tools` (by tool), `questions` (by group), `errors`, `seconds`.

    A rate is null where it is undefined: the pass rate without a call, a tool's accuracy where it was
    never called.
    """
    groups = group_kinds((item.kind for item in items), no_tool_kinds)
    summary: dict[str, JsonValue] = {}
    questions: dict[str, JsonValue] = {}
    for name, kinds in groups.items():
        found = rates(item for item in items if item.kind in kinds)
        summary[name] = _metrics(asdict(found))
        questions[name] = found.questions
    summary["tools"] = {
        tool: _metrics(asdict(rates_of_counts(counts))) for tool, counts in sorted(tools.items())
    }
    summary["questions"] = questions
    summary["errors"] = {error.value: count for error, count in count_errors(items).items()}
    summary["seconds"] = round(sum(item.seconds for item in items), 3)
    return summary


def scalar_metrics(summary: dict[str, JsonValue]) -> dict[str, float]:
    """What KFP's Metrics shows: the overall rates by their names, other groups' with the group in front."""
    found: dict[str, float] = {}
    groups = summary["questions"]
    assert isinstance(groups, dict)
    for group in groups:
        values = summary[group]
        assert isinstance(values, dict)
        for metric, value in values.items():
            if isinstance(value, int | float):
                found[metric if group == OVERALL else f"{group}_{metric}"] = float(value)
    return found


def _metrics(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {metric: values[metric] for metric in METRICS}
