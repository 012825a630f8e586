"""Evaluation: every held-out question once, judged, with its trace kept.

A stage that was killed begins again: nothing is resumed, since greedy decoding over the same
questions gives the same items.
"""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.jsonl import read_records, write_records
from components.contracts.pages import write_page
from components.contracts.policy_card import read_card
from components.contracts.progress import Progress
from components.contracts.records import EvaluationItem, Outcome, Question, Trace
from components.contracts.tool_schemas import parse_tools, tool_name
from components.evaluation.questions import select_questions
from components.evaluation.report import render_report
from components.evaluation.settings import EvaluationSettings
from components.evaluation.summary import ToolCounts, count_tools, scalar_metrics, summarize
from components.rollout.loop import run_rollouts
from components.rollout.prompts import offers_tools, select_tools
from components.rollout.tools_client import ToolsClient
from components.scoring.tool_use import judge_trace
from components.storage import open_input, write_output

if TYPE_CHECKING:
    from components.policy.engine import Engine


def run(
    question_set: Any,
    base_model: str,
    tools_url: str,
    settings: str,
    artifact_store: str,
    evaluation: Any,
    metrics: Any,
    report: Any,
    adapter: Any = None,
) -> None:
    """Judge the policy on a split of `questions/1` and write `evaluation/1`.

    question_set: artifact questions/1. adapter: artifact adapter/1, or None for the base model.
    evaluation, metrics, report: KFP artifacts.

    Raises:
        InputError: settings, artifacts, model or tools service can't be used, a question has no gold
            or names a tool the service lacks, or the adapter was trained under another template.
    """
    options = EvaluationSettings.parse(settings)
    opened = open_input(question_set.path, "questions/1", artifact_store)
    records = read_records(opened.path(f"{options.split}.jsonl"), Question)
    questions = select_questions(records, limit_per_kind=options.limit_per_kind, seed=options.seed)
    policy = open_input(adapter.path, "adapter/1", artifact_store) if adapter is not None else None
    with ToolsClient(tools_url) as client:
        _check_tools(questions, client, options)
        engine = _open_engine(base_model, policy, options)
        with write_output(evaluation.path, "evaluation/1", artifact_store) as writer:
            writer.lineage["question_set"] = opened.digest
            if policy is not None:
                writer.lineage["adapter"] = policy.digest
            digest = policy.digest if policy else ""
            traces = run_rollouts(((q, 0) for q in questions), engine, client, options, adapter=digest)
            items, tools = write_traces(writer.folder / "traces.jsonl", traces, len(questions), options.split)
            items = _in_order(items, questions)
            write_records(writer.folder / "items.jsonl", items)
            summary = summarize(items, tools, no_tool_kinds=options.no_tool_kinds)
            write_summary(writer.folder / "summary.json", summary)
            writer.counts["items"] = len(items)
            writer.details["base_model"] = base_model
            writer.details["settings"] = options.model_dump(mode="json")
    for name, value in scalar_metrics(summary).items():
        metrics.log_metric(name, value)
    title = f"{base_model} with adapter {digest[:12]}" if digest else base_model
    write_page(report.path, render_report(title, summary, items))


def write_traces(
    path: Path, traces: Iterator[Trace], total: int, suite: str
) -> tuple[list[EvaluationItem], ToolCounts]:
    """Judge traces and write them one a line as they come, with progress.

    An item's seconds are the time since the item before it was done, so that all of them add up to
    the time the rollouts took.
    """
    items: list[EvaluationItem] = []
    tools: ToolCounts = {}
    progress = Progress("evaluation", total)
    last = time.monotonic()
    with path.open("w", encoding="utf-8") as file:
        for trace in traces:
            now = time.monotonic()
            item = judge_trace(trace, suite=suite, seconds=now - last)
            last = now
            items.append(item)
            outcome = Outcome(answer=item.answer, correct=item.correct, score=float(item.correct))
            file.write(trace.model_copy(update={"outcome": outcome}).model_dump_json() + "\n")
            offered = [tool_name(tool) for tool in parse_tools(trace.tools)]
            for tool, counts in count_tools(trace, offered).items():
                tools.setdefault(tool, []).append(counts)
            progress.advance(accuracy=sum(item.correct for item in items) / len(items))
    return items, tools


def write_summary(path: Path, summary: dict[str, JsonValue]) -> None:
    """Write a summary as indented JSON, keys in their order."""
    path.write_text(
        json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )


def _check_tools(questions: Sequence[Question], client: ToolsClient, options: EvaluationSettings) -> None:
    """Refuse, before a model is loaded, an unreachable service and questions that name tools it lacks."""
    if not offers_tools(options.variant):
        return
    tools = client.list_tools()
    for question in questions:
        select_tools(question, tools, client.unavailable)


def _open_engine(base_model: str, policy: Artifact | None, options: EvaluationSettings) -> "Engine":
    """The engine, opened only once the adapter's card agrees with what is about to be used."""
    from components.policy.card import check_card
    from components.policy.engine import open_engine
    from components.policy.load import open_chat

    if policy is not None:
        chat = open_chat(base_model, options.engine.call_format)
        check_card(read_card(policy.folder), chat, base_model)
    return open_engine(base_model, policy.folder if policy else None, options.engine)


def _in_order(items: Sequence[EvaluationItem], questions: Sequence[Question]) -> list[EvaluationItem]:
    """The items in the order of the questions; rollouts finish in any order."""
    place = {question.id: index for index, question in enumerate(questions)}
    return sorted(items, key=lambda item: place[item.id])
