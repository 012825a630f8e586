"""The rates of an evaluation by group and by tool, as they stand in `summary.json`."""

from collections.abc import Collection, Sequence
from dataclasses import asdict

from pydantic import JsonValue

from components.contracts.records import EvaluationItem, Trace
from components.evaluation.suites import noise_curve, suite_metrics, suite_summaries
from components.scoring.bfcl.reference import is_bfcl
from components.scoring.bfcl.scores import bfcl_scores
from components.scoring.call_rates import (
    CALL_METRICS,
    EXECUTED_METRICS,
    CallCounts,
    call_rates,
    count_categories,
    sum_counts,
)
from components.scoring.groups import OVERALL, group_items
from components.scoring.tool_use import METRICS, Counts, count_errors, counts_of_tool, rates, rates_of_counts

ToolCounts = dict[str, list[Counts]]
BFCL_VERSIONS = ("v3", "v4")

# Where a group's metrics stand in a summary; "" is under the group's own name.
_SECTIONS = {
    "": METRICS,
    "calls": tuple(metric.removeprefix("calls_") for metric in CALL_METRICS),
    "executed": tuple(metric.removeprefix("executed_") for metric in EXECUTED_METRICS),
}


def count_tools(trace: Trace, tools: Collection[str]) -> dict[str, Counts]:
    """The counts of each offered tool in one trace."""
    return {tool: counts_of_tool(trace, tool) for tool in tools}


def summarize(
    items: Sequence[EvaluationItem],
    tools: ToolCounts,
    *,
    no_tool_kinds: Collection[str],
    split: str = "held_out",
) -> dict[str, JsonValue]:
    """Rates under each group's name, `tools` (by tool), `questions` (by group), `errors`, `seconds`.

    Groups are those of the split's own questions, or of all where there are none; each suite stands under `suites`,
    RoTBench's levels beside each other under `noise` and the benchmark's own sums under `bfcl`, where there are such.

    `calls` has, for each group with questions that are judged by golds, `ts`, `pi`, `cf`, `unparsed` and
    `no_call` with their `counts`, and how many fell into each category; `executed` has, for each group
    in which tools could be executed, `de`, `ce` and `va` with their `counts`. A rate is null where it is
    undefined: the pass rate without a call, a tool's accuracy where it was never called.
    """
    own = [item for item in items if item.suite == split] or items
    groups = group_items(own, no_tool_kinds)
    summary: dict[str, JsonValue] = {}
    questions: dict[str, JsonValue] = {}
    calls: dict[str, JsonValue] = {}
    executed: dict[str, JsonValue] = {}
    for name, places in groups.items():
        chosen = [own[place] for place in places]
        found = rates(chosen)
        summary[name] = _metrics(asdict(found))
        questions[name] = found.questions
        counts = sum_counts(chosen)
        if counts.judged:
            calls[name] = _call_summary(chosen, counts)
        if counts.executed:
            executed[name] = _executed_summary(chosen, counts)
    summary["tools"] = {
        tool: _metrics(asdict(rates_of_counts(counts))) for tool, counts in sorted(tools.items())
    }
    summary["calls"] = calls
    summary["executed"] = executed
    summary["questions"] = questions
    summary["errors"] = {error.value: count for error, count in count_errors(items).items()}
    summary["seconds"] = round(sum(item.seconds for item in items), 3)
    summary["suites"] = suite_summaries(items)
    if curve := noise_curve(items):
        summary["noise"] = [*curve]
    official = [item for item in items if is_bfcl(item.suite)]
    if official:
        summary["bfcl_scores"] = {version: bfcl_scores(official, version) for version in BFCL_VERSIONS}
    return summary


def scalar_metrics(summary: dict[str, JsonValue]) -> dict[str, float]:
    """What KFP's Metrics shows: the overall rates by their names, other groups' with the group in front.

    Those of `calls` and `executed` have that word in front of theirs: `calls_ts`, `demo_calls_cf`.
    """
    found: dict[str, float] = {}
    groups = summary["questions"]
    assert isinstance(groups, dict)
    for group in groups:
        prefix = "" if group == OVERALL else f"{group}_"
        for section, names in _SECTIONS.items():
            values = _member(summary, section, group) if section else summary[group]
            assert isinstance(values, dict)
            for name in names:
                value = values.get(name)
                if isinstance(value, int | float):
                    found[f"{prefix}{section}_{name}" if section else f"{prefix}{name}"] = float(value)
    retrieval = summary.get("retrieval")
    recall = retrieval.get("recall") if isinstance(retrieval, dict) else None
    found |= {"retrieval_recall": float(recall)} if isinstance(recall, int | float) else {}
    return found | suite_metrics(summary.get("suites")) | _bfcl_metrics(summary.get("bfcl_scores"))


def _bfcl_metrics(bfcl: JsonValue) -> dict[str, float]:
    """The benchmark's own sums, such as `bfcl_v4_overall`."""
    found: dict[str, float] = {}
    for version, scores in (bfcl if isinstance(bfcl, dict) else {}).items():
        for name, value in (scores if isinstance(scores, dict) else {}).items():
            if isinstance(value, int | float):
                found[f"bfcl_{version}_{name}"] = float(value)
    return found


def _call_summary(items: Sequence[EvaluationItem], counts: CallCounts) -> dict[str, JsonValue]:
    return {
        "questions": counts.judged,
        **_section_rates(items, "calls"),
        "counts": {name: int(getattr(counts, name)) for name in _SECTIONS["calls"]},
        "categories": {**count_categories(items)},
    }


def _executed_summary(items: Sequence[EvaluationItem], counts: CallCounts) -> dict[str, JsonValue]:
    return {
        "questions": counts.executed,
        "calls": counts.calls,
        **_section_rates(items, "executed"),
        "counts": {name: int(getattr(counts, name)) for name in _SECTIONS["executed"]},
    }


def _section_rates(items: Sequence[EvaluationItem], section: str) -> dict[str, JsonValue]:
    found = call_rates(items)
    return {name: found[f"{section}_{name}"] for name in _SECTIONS[section]}


def _member(summary: dict[str, JsonValue], section: str, group: str) -> JsonValue:
    groups = summary.get(section)
    return groups.get(group, {}) if isinstance(groups, dict) else {}


def _metrics(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {metric: values[metric] for metric in METRICS}
