"""Evaluation: every held-out question once, judged, with its trace kept.

Questions with gold calls are judged on one turn, in batches; the others go through the agent loop.

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
from components.evaluation.profile import name_tokens, profile_traces
from components.evaluation.questions import check_tools, needs_service, select_questions
from components.evaluation.report import render_report
from components.evaluation.settings import EvaluationSettings
from components.evaluation.summary import ToolCounts, count_tools, scalar_metrics, summarize
from components.rollout.loop import run_rollouts
from components.rollout.single_turn import run_single_turns
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
    title: str = "",
) -> None:
    """Judge the policy on a split of `questions/1` and write `evaluation/1`.

    question_set: artifact questions/1. adapter: artifact adapter/1, or None for the base model.
    evaluation, metrics, report: KFP artifacts. title: what reports call this policy. The tools service is
    contacted only where a question needs it.

    Raises:
        InputError: settings, artifacts, model or tools service can't be used, a question has no gold
            or names a tool the service lacks, or the adapter was trained under another template.
    """
    options = EvaluationSettings.parse(settings)
    opened = open_input(question_set.path, "questions/1", artifact_store)
    records = read_records(opened.path(f"{options.split}.jsonl"), Question)
    questions = select_questions(records, limit_per_kind=options.limit_per_kind, seed=options.seed)
    policy = open_input(adapter.path, "adapter/1", artifact_store) if adapter is not None else None
    digest = policy.digest if policy else ""
    shown = title or (f"{base_model} with adapter {digest[:12]}" if digest else base_model)
    with ToolsClient(tools_url) as client:
        check_tools(questions, client, options.variant)
        engine = _open_engine(base_model, policy, options)
        with write_output(evaluation.path, "evaluation/1", artifact_store) as writer:
            writer.lineage["question_set"] = opened.digest
            if policy is not None:
                writer.lineage["adapter"] = digest
            traces = _take(questions, engine, client, options, digest)
            official = options.scorer == "official"
            items, tools = write_traces(
                writer.folder / "traces.jsonl", traces, len(questions), options.split, official=official
            )
            items = _in_order(items, questions)
            write_records(writer.folder / "items.jsonl", items)
            summary = summarize(items, tools, no_tool_kinds=options.no_tool_kinds)
            if any(item.tool_selected is not None for item in items):
                written = read_records(writer.folder / "traces.jsonl", Trace)
                tokens, tokenizer = name_tokens(base_model)
                summary["profile"] = profile_traces(written, tokens, tokenizer, official=official)
            write_summary(writer.folder / "summary.json", summary)
            writer.counts["items"] = len(items)
            writer.details["base_model"] = base_model
            writer.details["title"] = shown
            writer.details["settings"] = options.model_dump(mode="json")
    for name, value in scalar_metrics(summary).items():
        metrics.log_metric(name, value)
    write_page(report.path, render_report(shown, summary, items))


def write_traces(
    path: Path, traces: Iterator[Trace], total: int, suite: str, *, official: bool = False
) -> tuple[list[EvaluationItem], ToolCounts]:
    """Judge traces and write them one a line as they come, with progress.

    An item's seconds are the time since the item before it was done, so that all of them add up to
    the time the rollouts took. Tools that a question brought along are not counted by name. official: see
    `judge_trace`.
    """
    items: list[EvaluationItem] = []
    tools: ToolCounts = {}
    progress = Progress("evaluation", total)
    last = time.monotonic()
    with path.open("w", encoding="utf-8") as file:
        for trace in traces:
            now = time.monotonic()
            item = judge_trace(trace, suite=suite, seconds=now - last, official=official)
            last = now
            items.append(item)
            outcome = Outcome(answer=item.answer, correct=item.correct, score=float(item.correct))
            file.write(trace.model_copy(update={"outcome": outcome}).model_dump_json() + "\n")
            shared = not trace.question.offered
            offered = [tool_name(tool) for tool in parse_tools(trace.tools)] if shared else []
            for tool, counts in count_tools(trace, offered).items():
                tools.setdefault(tool, []).append(counts)
            progress.advance(accuracy=sum(item.correct for item in items) / len(items))
    return items, tools


def write_summary(path: Path, summary: dict[str, JsonValue]) -> None:
    """Write a summary as indented JSON, keys in their order."""
    path.write_text(
        json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )


def _take(
    questions: Sequence[Question],
    engine: "Engine",
    client: ToolsClient,
    options: EvaluationSettings,
    adapter: str,
) -> Iterator[Trace]:
    """A trace of each question: first of those with golds, then of those that go through the loop."""
    judged_by_calls = [question for question in questions if question.golds]
    # Asked for once, by the check before: nothing is sent here.
    asks = any(needs_service(question, options.variant) for question in judged_by_calls)
    available = client.list_tools() if asks else ()
    if judged_by_calls:
        yield from run_single_turns(
            judged_by_calls,
            engine,
            options,
            available=available,
            unavailable=client.unavailable,
            adapter=adapter,
        )
    others = [question for question in questions if not question.golds]
    if others:
        yield from run_rollouts(
            ((question, 0) for question in others), engine, client, options, adapter=adapter
        )


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
