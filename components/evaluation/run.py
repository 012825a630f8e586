"""Evaluation: every held-out question once, judged, with its trace kept.

Questions with gold calls are judged on one turn, in batches; the others go through the agent loop.

An evaluation that was killed goes on with the traces that it had finished, under `checkpoint_root`. An earlier
evaluation of the same thing is handed on.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.pages import write_page
from components.contracts.records import EvaluationItem, Question, Trace
from components.evaluation.conditions import (
    conditions_text,
    deciding,
    describe_conditions,
    is_same,
    read_conditions,
    read_questions,
)
from components.evaluation.execution import open_api_bank
from components.evaluation.judged import write_traces
from components.evaluation.multi_turn import is_multi_turn, open_apis, play
from components.evaluation.profile import name_tokens, profile_traces
from components.evaluation.questions import (
    check_tools,
    difficulties,
    in_reading_order,
    needs_service,
    select_questions,
)
from components.evaluation.report import render_report
from components.evaluation.resume import open_finished, storing_engine, without
from components.evaluation.settings import EvaluationSettings
from components.evaluation.summary import ToolCounts, scalar_metrics, summarize
from components.rollout.loop import run_rollouts
from components.rollout.single_turn import run_single_turns
from components.rollout.tool_retrieval import offered_golds
from components.rollout.tools_client import ToolsClient
from components.scoring.bfcl.api_service import StatefulApis
from components.scoring.judgement import is_single_turn
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
    checkpoint_root: str = "",
) -> None:
    """Judge the policy on a split of `questions/1`, and on its suites beside the held-out one; write `evaluation/1`.

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
    records = read_questions(opened, options)
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
            other = open_input(earlier.path, "evaluation/1", artifact_store)
            if is_same(other, lineage, details):
                hand_on(earlier.path, evaluation.path, "evaluation/1")
                print("[evaluation] the earlier evaluation judged the same; it is handed on", flush=True)
                items = list(read_records(other.path("items.jsonl"), EvaluationItem))
                traces = read_records(other.path("traces.jsonl"), Trace)
                page = render_report(shown, read_summary(other), items, traces, conditions)
                _publish(read_summary(other), page, metrics, report)
                return
        decides = deciding(
            lineage, details, served=_served(options), content=client.content if asks else None
        )
        with (
            open_apis(questions, options) as apis,
            open_api_bank(questions, options) as api_bank,
            open_finished(checkpoint_root, decides) as finished,
        ):
            known = list(finished.take_over())
            engine = storing_engine(_open_engine(base_model, policy, options), finished)
            left = without(questions, known)
            official = options.scorer == "official"
            with write_output(evaluation.path, "evaluation/1", artifact_store) as writer:
                writer.lineage.update(lineage)
                writer.details.update(details)
                made = finished.keep(_take(left, engine, client, apis, options, digest))
                items, tools = write_traces(
                    writer.folder / "traces.jsonl",
                    itertools.chain(known, made),
                    len(questions),
                    options.split,
                    official=official,
                    start=len(known),
                    api_bank=api_bank,
                )
                thirds = difficulties(questions, client, options.variant)
                items = [
                    item.model_copy(
                        update={"difficulty": thirds.get(item.id, ""), "seconds": finished.seconds[item.id]}
                    )
                    for item in _in_order(items, questions)
                ]
                write_records(writer.folder / "items.jsonl", items)
                summary = _summary(items, tools, base_model, writer.folder / "traces.jsonl", options)
                write_summary(writer.folder / "summary.json", summary)
                writer.counts["items"] = len(items)
                traces = read_records(writer.folder / "traces.jsonl", Trace)
                page = render_report(shown, summary, items, traces, conditions)
            _publish(summary, page, metrics, report)
            finished.clear()


def _summary(
    items: Sequence[EvaluationItem],
    tools: ToolCounts,
    base_model: str,
    traces: Path,
    options: EvaluationSettings,
) -> dict[str, JsonValue]:
    """`summarize`, and where questions have golds what only their traces tell."""
    summary = summarize(items, tools, no_tool_kinds=options.no_tool_kinds, split=options.split)
    if any(item.accepted for item in items):
        official = options.scorer == "official"
        tokens, tokenizer = name_tokens(base_model)
        summary["profile"] = profile_traces(read_records(traces, Trace), tokens, tokenizer, official=official)
        if options.max_tools:
            summary["retrieval"] = offered_golds(read_records(traces, Trace))
    return summary


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


def _publish(summary: dict[str, JsonValue], page: str, metrics: Any, report: Any) -> None:
    """Log the metrics and write the page."""
    for name, value in scalar_metrics(summary).items():
        metrics.log_metric(name, value)
    write_page(report.path, page)


def _title(base_model: str, adapter: str, *, without_tools: bool) -> str:
    shown = f"{base_model} with adapter {adapter[:12]}" if adapter else base_model
    return f"{shown} without tools" if without_tools else shown


def _take(
    questions: Sequence[Question],
    engine: "Engine",
    client: ToolsClient,
    apis: StatefulApis | None,
    options: EvaluationSettings,
    adapter: str,
) -> Iterator[Trace]:
    """A trace of each question: first of those that are judged on one turn, then of those that go through the loop,
    then of BFCL's conversations. All are looked at before the first is sampled.
    """
    parts: list[Iterator[Trace]] = []
    by_calls = in_reading_order(question for question in questions if is_single_turn(question))
    # Asked for once, by the check before: nothing is sent here.
    asks = any(needs_service(question, options.variant) for question in by_calls)
    available = client.list_tools() if asks else ()
    if by_calls:
        turns = run_single_turns(
            by_calls,
            engine,
            options.one_batch_at_a_time(),
            available=available,
            unavailable=client.unavailable,
            adapter=adapter,
        )
        parts.append(turns)
    conversations = [question for question in questions if is_multi_turn(question)]
    others = [question for question in questions if not (is_single_turn(question) or is_multi_turn(question))]
    if others:
        samples = ((question, 0) for question in others)
        parts.append(run_rollouts(samples, engine, client, options, adapter=adapter))
    if conversations and apis is not None:
        parts.append(play(conversations, engine, options, apis, adapter))
    return itertools.chain.from_iterable(parts)


def _open_engine(base_model: str, policy: Artifact | None, options: EvaluationSettings) -> "Engine":
    """The engine, opened only once the adapter's card agrees with what is about to be used."""
    from components.policy.card import check_adapter
    from components.policy.engine import open_engine
    from components.policy.load import open_chat

    if policy is not None:
        chat = open_chat(base_model, options.engine.call_format)
        check_adapter(policy.folder, chat, base_model)
    return open_engine(base_model, policy.folder if policy else None, options.engine)


def _served(options: EvaluationSettings) -> str:
    from components.policy.engine import served_model

    return served_model(options.engine)


def _in_order(items: Sequence[EvaluationItem], questions: Sequence[Question]) -> list[EvaluationItem]:
    """The items in the order of the questions; rollouts finish in any order."""
    place = {question.id: index for index, question in enumerate(questions)}
    return sorted(items, key=lambda item: place[item.id])
