"""Evaluation: every held-out question once, judged, with its trace kept.

Questions with gold calls are judged on one turn, in batches; the others go through the agent loop.

A stage that was killed begins again: nothing is resumed, since greedy decoding over the same
questions gives the same items. An earlier evaluation of the same thing is handed on instead.
"""

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.pages import write_page
from components.contracts.policy_card import read_card
from components.contracts.progress import Progress
from components.contracts.records import EvaluationItem, Outcome, Question, Trace
from components.contracts.tool_schemas import parse_tools, tool_name
from components.evaluation.conditions import (
    conditions_text,
    describe_conditions,
    is_same,
    read_conditions,
    read_split,
)
from components.evaluation.profile import name_tokens, profile_traces
from components.evaluation.questions import check_tools, difficulties, needs_service, select_questions
from components.evaluation.report import render_report
from components.evaluation.settings import EvaluationSettings
from components.evaluation.summary import ToolCounts, count_tools, scalar_metrics, summarize
from components.rollout.loop import run_rollouts
from components.rollout.single_turn import run_single_turns
from components.rollout.tool_retrieval import offered_golds
from components.rollout.tools_client import ToolsClient
from components.scoring.tool_use import judge_trace
from components.storage import hand_on, open_input, write_output

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
    split: str = "",
    without_tools: bool = False,
    earlier: Any = None,
    overrides: str = "{}",
) -> None:
    """Judge the policy on a split of `questions/1` and write `evaluation/1`.

    question_set: artifact questions/1. adapter: artifact adapter/1, or None for the base model.
    evaluation, metrics, report: KFP artifacts. title: what reports call this policy. split: in place of the
    settings' own, unless empty. without_tools: no tools are offered; the prompt is `no_tool_variant`. earlier:
    artifact evaluation/1, handed on unchanged where the same adapter (or base model) was judged on the same
    questions under the same settings, with the same tools on offer. overrides: JSON object merged over
    `settings`. The tools service is contacted only where a question needs it.

    Raises:
        InputError: settings, artifacts, model or tools service can't be used, a question has no gold
            or names a tool the service lacks, the adapter was trained under another template, or the
            question set has no validation questions and they are wanted.
    """
    options = read_conditions(settings, overrides, split, without_tools=without_tools)
    opened = open_input(question_set.path, "questions/1", artifact_store)
    records = read_split(opened, options.split)
    questions = select_questions(records, limit_per_kind=options.limit_per_kind, seed=options.seed)
    policy = open_input(adapter.path, "adapter/1", artifact_store) if adapter is not None else None
    digest = policy.digest if policy else ""
    shown = title or _title(base_model, digest, without_tools=without_tools)
    lineage = {"question_set": opened.digest} | ({"adapter": digest} if digest else {})
    conditions = conditions_text(options, without_tools=without_tools)
    with ToolsClient(tools_url) as client:
        check_tools(questions, client, options.variant)
        asks = any(needs_service(question, options.variant) for question in questions)
        details = describe_conditions(
            options,
            base_model,
            shown,
            without_tools=without_tools,
            tools=client.list_tools() if asks else None,
        )
        if earlier is not None:
            known = open_input(earlier.path, "evaluation/1", artifact_store)
            if is_same(known, lineage, details):
                hand_on(earlier.path, evaluation.path, "evaluation/1")
                print("[evaluation] the earlier evaluation judged the same; it is handed on", flush=True)
                items = list(read_records(known.path("items.jsonl"), EvaluationItem))
                _publish(read_summary(known), items, shown, conditions, metrics, report)
                return
        engine = _open_engine(base_model, policy, options)
        with write_output(evaluation.path, "evaluation/1", artifact_store) as writer:
            writer.lineage.update(lineage)
            traces = _take(questions, engine, client, options, digest)
            official = options.scorer == "official"
            items, tools = write_traces(
                writer.folder / "traces.jsonl", traces, len(questions), options.split, official=official
            )
            thirds = difficulties(questions, client, options.variant)
            items = [
                item.model_copy(update={"difficulty": thirds.get(item.id, "")})
                for item in _in_order(items, questions)
            ]
            write_records(writer.folder / "items.jsonl", items)
            summary = summarize(items, tools, no_tool_kinds=options.no_tool_kinds)
            if any(item.tool_selected is not None for item in items):
                written = read_records(writer.folder / "traces.jsonl", Trace)
                tokens, tokenizer = name_tokens(base_model)
                summary["profile"] = profile_traces(written, tokens, tokenizer, official=official)
            if options.max_tools and any(question.golds for question in questions):
                summary["retrieval"] = offered_golds(read_records(writer.folder / "traces.jsonl", Trace))
            write_summary(writer.folder / "summary.json", summary)
            writer.counts["items"] = len(items)
            writer.details.update(details)
    _publish(summary, items, shown, conditions, metrics, report)


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


def read_summary(evaluation: Artifact) -> dict[str, JsonValue]:
    """The summary of an evaluation.

    Raises:
        InputError: it is no JSON object.
    """
    path = evaluation.path("summary.json")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON, expected the summary of an evaluation") from error
    if not isinstance(summary, dict) or "questions" not in summary:
        raise InputError(f"{path}: expected the summary of an evaluation")
    return summary


def _publish(
    summary: dict[str, JsonValue],
    items: Sequence[EvaluationItem],
    title: str,
    conditions: str,
    metrics: Any,
    report: Any,
) -> None:
    """Log the metrics and write the page."""
    for name, value in scalar_metrics(summary).items():
        metrics.log_metric(name, value)
    write_page(report.path, render_report(title, summary, items, conditions))


def _title(base_model: str, adapter: str, *, without_tools: bool) -> str:
    shown = f"{base_model} with adapter {adapter[:12]}" if adapter else base_model
    return f"{shown} without tools" if without_tools else shown


def _take(
    questions: Sequence[Question],
    engine: "Engine",
    client: ToolsClient,
    options: EvaluationSettings,
    adapter: str,
) -> Iterator[Trace]:
    """A trace of each question: first of those with golds, then of those that go through the loop.

    Both are looked at before the first is sampled.
    """
    parts: list[Iterator[Trace]] = []
    judged_by_calls = [question for question in questions if question.golds]
    # Asked for once, by the check before: nothing is sent here.
    asks = any(needs_service(question, options.variant) for question in judged_by_calls)
    available = client.list_tools() if asks else ()
    if judged_by_calls:
        turns = run_single_turns(
            judged_by_calls,
            engine,
            options,
            available=available,
            unavailable=client.unavailable,
            adapter=adapter,
        )
        parts.append(turns)
    others = [question for question in questions if not question.golds]
    if others:
        samples = ((question, 0) for question in others)
        parts.append(run_rollouts(samples, engine, client, options, adapter=adapter))
    return itertools.chain.from_iterable(parts)


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
