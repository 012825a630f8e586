"""Traces as they come: judged, and written."""

from collections.abc import Iterable
from pathlib import Path

from components.contracts.progress import Progress
from components.contracts.records import EvaluationItem, Trace
from components.contracts.tool_schemas import parse_tools, tool_name
from components.evaluation.execution import judge_execution
from components.evaluation.summary import ToolCounts, count_tools
from components.scoring.api_bank.execution import ApiBank
from components.scoring.tool_use import judge_trace


def write_traces(
    path: Path,
    traces: Iterable[Trace],
    total: int,
    split: str,
    *,
    official: bool = False,
    start: int = 0,
    api_bank: ApiBank | None = None,
) -> tuple[list[EvaluationItem], ToolCounts]:
    """Judge traces and write them one a line as they come, with progress; the items are not timed.

    An item's suite is its question's, or else the split. Tools that a question brought along are not counted by
    name. official: see `judge_trace`. start: how many of the first an earlier run has made. api_bank: see
    `judge_execution`.
    """
    items: list[EvaluationItem] = []
    tools: ToolCounts = {}
    progress = Progress("evaluation", total, start=start)
    with path.open("w", encoding="utf-8") as file:
        for trace in traces:
            item = judge_trace(trace, suite=trace.question.suite or split, official=official)
            item = judge_execution(item, trace, api_bank)
            items.append(item)
            judged = {"answer": item.answer, "correct": item.correct, "score": float(item.correct)}
            outcome = trace.outcome.model_copy(update=judged)
            file.write(trace.model_copy(update={"outcome": outcome}).model_dump_json() + "\n")
            shared = not trace.question.offered
            offered = [tool_name(tool) for tool in parse_tools(trace.tools)] if shared else []
            for tool, counts in count_tools(trace, offered).items():
                tools.setdefault(tool, []).append(counts)
            if len(items) > start:
                progress.advance(accuracy=sum(item.correct for item in items) / len(items))
    return items, tools
