"""Error labeling: every assistant turn says whether it is trained on and why not.

Every trace is kept, those that hold what is judged by in a file of their own, so that no training reads them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.pages import write_page
from components.contracts.progress import Progress
from components.contracts.records import LabeledTrace, Trace
from components.error_labeling.agreement import CATEGORIES
from components.error_labeling.contamination import ContaminationCheck
from components.error_labeling.exports import EXPORT_FILES, export_rows
from components.error_labeling.labels import label_turns
from components.error_labeling.report import render_report
from components.error_labeling.selection import CONTAMINATED, Candidate, candidate, select
from components.error_labeling.settings import ErrorLabelingSettings, Feedback
from components.error_labeling.summary import Summary
from components.scoring.contamination import contaminated_rows
from components.storage import open_input, write_output

TRAJECTORIES = "trajectories"


def run(
    traces: Sequence[Any],
    settings: str,
    artifact_store: str,
    labeled: Any,
    metrics: Any,
    classification: Any,
    report: Any,
    trajectories: Any = None,
    overrides: str = "{}",
    question_set: Any = None,
) -> None:
    """Label the traces of all shards, and the trajectories, in one pass and write `labeled_traces/1`.

    traces, trajectories: artifacts traces/1. labeled, metrics, classification, report: KFP artifacts.
    overrides: a JSON object merged over the settings. question_set: artifact questions/1, whose judged questions no
    trace may hold.

    Raises:
        InputError: settings or artifacts can't be used, there is none, two shards hold the same trace, or
            one is contaminated and on_contamination is "fail".
    """
    parsed = ErrorLabelingSettings.parse(settings, overrides)
    named = {f"traces_{index}": one for index, one in enumerate(traces)}
    if trajectories is not None:
        named[TRAJECTORIES] = trajectories
    if not named:
        raise InputError("traces: nothing to label; expected artifacts traces/1, or trajectories")
    shards = {name: open_input(one.path, "traces/1", artifact_store) for name, one in named.items()}
    check = ContaminationCheck(question_set, artifact_store, parsed.on_contamination)
    reasons = select(read_candidates(list(shards.values()), parsed.feedback, check), parsed)
    with write_output(labeled.path, "labeled_traces/1", artifact_store) as writer:
        for name, shard in shards.items():
            writer.lineage[name] = shard.digest
        if check.digest:
            writer.lineage["question_set"] = check.digest
        write_records(writer.folder / "contamination.jsonl", check.hits)
        writer.details["settings"] = parsed.model_dump(mode="json")
        summary = write_labeled(writer.folder, shards, reasons, parsed)
        summary.compared = check.items
        summary.contaminated = contaminated_rows(check.hits)
        text = json.dumps(summary.report(), indent=2, ensure_ascii=False)
        (writer.folder / "report.json").write_text(text + "\n", encoding="utf-8")
        for name in parsed.exports:
            rows = export_rows(name, read_records(writer.folder / "traces.jsonl", LabeledTrace))
            writer.counts[f"export_{name}"] = write_records(writer.folder / EXPORT_FILES[name], rows)
        writer.counts.update(_counts(summary))
    for name, value in _counts(summary).items():
        metrics.log_metric(name, float(value))
    for error, count in summary.errors.items():
        metrics.log_metric(f"error_{error.value}", float(count))
    for name, share in summary.agreement.shares().items():
        metrics.log_metric(f"classifier_{name}", share)
    if summary.agreement.calls:
        classification.log_confusion_matrix(CATEGORIES, summary.agreement.rows())
    write_page(report.path, render_report(summary))
    if why := check.explain(len(reasons)):
        print(f"[error_labeling] {why}", flush=True)
    if summary.unread:
        unread = f"{summary.unread} replies without a code were not read and count as all right"
        print(
            f"[error_labeling] {unread}; the preset tl-training reads them (feedback: classified)", flush=True
        )


def read_candidates(
    shards: Sequence[Artifact], feedback: Feedback, check: ContaminationCheck
) -> Iterator[Candidate]:
    """First pass over the traces of all shards.

    Raises:
        InputError: a trace id comes twice, or a trace is contaminated where none may be.
    """
    seen: dict[str, Path] = {}
    for shard in shards:
        path = shard.path("traces.jsonl")
        for trace in read_records(path, Trace):
            if trace.id in seen:
                raise InputError(
                    f"traces: trace {trace.id!r} is in {seen[trace.id]} and in {path}; expected each trace once"
                )
            seen[trace.id] = path
            yield candidate(trace, feedback, contaminated=check.excludes(trace))


def write_labeled(
    folder: Path, shards: Mapping[str, Artifact], reasons: Mapping[str, str], settings: ErrorLabelingSettings
) -> Summary:
    """Second pass: write each trace with its labels, in the order of the shards; the contaminated ones apart.

    shards: by name; whoever ran the calls of `trajectories` may give no codes, our tools service does.
    """
    summary = Summary(feedback=settings.feedback)
    progress = Progress("error_labeling", len(reasons))

    def labeled(*, contaminated: bool) -> Iterator[LabeledTrace]:
        for name, shard in shards.items():
            for trace in read_records(shard.path("traces.jsonl"), Trace):
                if (reasons[trace.id] == CONTAMINATED) is not contaminated:
                    continue
                labels = label_turns(trace, reasons[trace.id], settings)
                one = LabeledTrace(**dict(trace), labels=labels)
                summary.add(one, reasons[trace.id], codes=name != TRAJECTORIES)
                yield one
                progress.advance(trained=summary.trained_traces)

    write_records(folder / "traces.jsonl", labeled(contaminated=False))
    apart = labeled(contaminated=True) if CONTAMINATED in reasons.values() else ()
    write_records(folder / "contaminated_traces.jsonl", apart)
    return summary


def _counts(summary: Summary) -> dict[str, int]:
    return {
        "traces": summary.traces,
        "trained_traces": summary.trained_traces,
        "turns": summary.turns,
        "trained_turns": summary.trained_turns,
        "calls": summary.calls,
        "failed_calls": summary.errors.total(),
        "contaminated_traces": summary.trace_reasons[CONTAMINATED],
        **{f"contaminated_{suite}": rows for suite, rows in summary.contaminated.items()},
    }
