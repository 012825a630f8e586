"""Trace generation: every training question of a shard, sampled n times with the tools at hand."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.methods import is_on
from components.contracts.progress import Progress
from components.contracts.records import Outcome, Question, Trace
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema
from components.rollout.loop import run_rollouts
from components.rollout.prompts import offers_tools, select_tools
from components.rollout.tools_client import ToolsClient
from components.scoring.answers import is_correct
from components.storage import open_input, write_output
from components.trace_generation.settings import TraceGenerationSettings
from components.trace_generation.tally import Tally

if TYPE_CHECKING:
    from components.policy.engine import Engine


def run(
    question_set: Any,
    base_model: str,
    tools_url: str,
    settings: str,
    artifact_store: str,
    shard: int,
    traces: Any,
    metrics: Any,
    adapter: Any = None,
    method: str = "",
) -> None:
    """Sample the shard's training questions and write `traces/1`.

    question_set: artifact questions/1 (`train.jsonl`; its manifest counts the shards). Questions with
    golds are not sampled: their trajectories are given. A shard without others opens neither model nor
    tools service.
    adapter: artifact adapter/1 or None for the base model. traces, metrics: KFP artifacts.
    method: the run's ways of training; with `none` the traces are empty, and neither is opened.

    Raises:
        InputError: settings, artifacts, model or tools service can't be used, a question names a
            tool the service lacks, or the adapter was trained under another template.
    """
    parsed = TraceGenerationSettings.parse(settings)
    opened = open_input(question_set.path, "questions/1", artifact_store)
    practised = is_on(TraceGenerationSettings.stage, method)
    questions = read_shard(opened, shard) if practised else []
    if not questions:
        reason = "all of them bring their golds" if practised else "practice is off"
        print(f"[trace_generation] no question to sample: {reason}", flush=True)
        with write_output(traces.path, "traces/1", artifact_store) as writer:
            writer.lineage["question_set"] = opened.digest
            tally = write_traces(writer.folder / "traces.jsonl", (), 0)
            writer.counts.update(tally.counts())
        _log(tally, metrics)
        return
    with ToolsClient(tools_url) as client:
        check_tools(questions, client, parsed)
        policy, engine = open_policy(base_model, adapter, parsed, artifact_store)
        with write_output(traces.path, "traces/1", artifact_store) as writer:
            writer.lineage["question_set"] = opened.digest
            if policy is not None:
                writer.lineage["adapter"] = policy.digest
            total = len(questions) * (parsed.num_samples + parsed.samples_without_tools(method))
            shards = shard_count(opened)
            part = f"{shard + 1}/{shards}" if shards > 1 else ""
            digest = policy.digest if policy else ""
            judged = generate(questions, engine, client, parsed, digest, method=method)
            tally = write_traces(writer.folder / "traces.jsonl", judged, total, part)
            writer.counts.update(tally.counts())
    _log(tally, metrics)


def _log(tally: Tally, metrics: Any) -> None:
    for name, value in tally.metrics().items():
        metrics.log_metric(name, value)
    lost = tally.errors[ToolError.TOOL_INSTABILITY]
    if lost:
        print(f"[trace_generation] {lost} of {tally.calls} calls were lost by the tools service", flush=True)


def shard_count(questions: Artifact) -> int:
    """Into how many shards the training questions are cut."""
    return int(questions.manifest.counts.get("shards", 1))


def read_shard(questions: Artifact, shard: int) -> list[Question]:
    """The training questions to sample, i with i mod shards == shard; those with golds are left out.

    Raises:
        InputError: there is no such shard, or a line is not a question.
    """
    shards = shard_count(questions)
    if not 0 <= shard < shards:
        raise InputError(
            f"shard: {shard} is not one of the question set's {shards}; expected 0..{shards - 1}"
        )
    records = read_records(questions.path("train.jsonl"), Question)
    sampled = (question for question in records if not question.golds)
    return [question for index, question in enumerate(sampled) if index % shards == shard]


def check_tools(questions: list[Question], client: ToolsClient, settings: TraceGenerationSettings) -> None:
    """Refuse, before a model is loaded, questions that name tools the service lacks."""
    if not offers_tools(settings.variant):
        return
    tools: tuple[ToolSchema, ...] = client.list_tools()
    for question in questions:
        select_tools(question, tools, client.unavailable)


def open_policy(
    base_model: str, adapter: Any, settings: TraceGenerationSettings, artifact_store: str
) -> tuple[Artifact | None, "Engine"]:
    """The adapter's artifact, if one is given, and the engine that samples."""
    from components.policy.engine import open_engine

    opened = open_input(adapter.path, "adapter/1", artifact_store) if adapter is not None else None
    return opened, open_engine(base_model, opened.folder if opened else None, settings.engine)


def generate(
    questions: list[Question],
    engine: "Engine",
    client: ToolsClient,
    settings: TraceGenerationSettings,
    adapter: str,
    *,
    method: str = "",
) -> Iterator[Trace]:
    """Traces with judged outcomes, each as soon as it is complete: with tools, then those without.

    Samples of a question stand next to each other, so that an engine can share the prompt. Those
    without tools are numbered on, so that no id comes twice.
    """
    without = settings.model_copy(update={"variant": settings.no_tool_variant, "prefill": "none"})
    both = settings.num_samples + settings.samples_without_tools(method)
    for chosen, numbers in (
        (settings, range(settings.num_samples)),
        (without, range(settings.num_samples, both)),
    ):
        samples = ((question, sample) for question in questions for sample in numbers)
        for trace in run_rollouts(samples, engine, client, chosen, adapter=adapter):
            yield judge(trace)


def judge(trace: Trace) -> Trace:
    """The trace with its outcome judged against the accepted answers, where there are any."""
    if not trace.question.answers:
        return trace
    correct = is_correct(trace.outcome.answer, trace.question)
    outcome = Outcome(answer=trace.outcome.answer, correct=correct, score=float(correct))
    return trace.model_copy(update={"outcome": outcome})


def write_traces(path: Path, traces: Iterable[Trace], total: int, part: str = "") -> Tally:
    """Write traces one a line as they come, with progress (of shard `part`); returns their counts."""
    tally = Tally()
    progress = Progress("trace_generation", total, part=part)

    def counted() -> Iterator[Trace]:
        for trace in traces:
            yield trace
            tally.add(trace)
            progress.advance(correct=tally.correct, calls=tally.calls)

    write_records(path, counted())
    return tally
