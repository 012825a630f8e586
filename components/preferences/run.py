"""Preference pairs: judged traces in, pairs of the same question out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.contracts.jsonl import read_records, write_records
from components.contracts.methods import is_on
from components.contracts.pages import write_page
from components.contracts.progress import Progress
from components.contracts.records import LabeledTrace, PreferencePair
from components.preferences.candidates import NOT_ANSWERED, candidate
from components.preferences.line_access import open_labeled_traces
from components.preferences.pairs import build_pair
from components.preferences.plan import Plan, plan_pairs
from components.preferences.report import render_report
from components.preferences.settings import PreferencesSettings
from components.preferences.summary import Summary
from components.storage import open_input, write_output

METHOD = "dpo"  # the way of training that needs pairs


def run(
    labeled: Any,
    settings: str,
    artifact_store: str,
    pairs: Any,
    metrics: Any,
    report: Any,
    kind: str = "",
    method: str = "",
) -> None:
    """Pair the traces of each question and write `preference_pairs/1` (`pairs.jsonl`, `report.json`).

    labeled: artifact labeled_traces/1. pairs, metrics, report: KFP artifacts. kind: replaces the settings'.
    method: the run's ways of training; unless `dpo` is one of them nothing is read and there are no pairs.

    Where no question gives a pair the log and the artifact's detail `no_pair` say what was missing and what to
    change; whether the run ends there is for the stage that learns from them to say.

    Raises:
        InputError: settings, kind, method or artifact can't be used.
    """
    parsed = PreferencesSettings.parse(settings, json.dumps({"kind": kind}) if kind else "")
    if not is_on(METHOD, method):
        print(f"[preferences] off: method {method!r} does not train on pairs", flush=True)
        summary = Summary(parsed.kind)
        with write_output(pairs.path, "preference_pairs/1", artifact_store) as writer:
            write_records(writer.folder / "pairs.jsonl", ())
            _write_summary(writer.folder / "report.json", summary)
            writer.details["settings"] = parsed.model_dump(mode="json")
            writer.counts.update(summary.counts())
    else:
        opened = open_input(labeled.path, "labeled_traces/1", artifact_store)
        path = opened.path("traces.jsonl")
        plan = read_plan(path, parsed)
        why = "" if plan.pairs else nothing_to_pair(plan, parsed)
        if why:
            print(f"[preferences] NO PAIR: {why}", flush=True)
        summary = Summary(parsed.kind, plan)
        with write_output(pairs.path, "preference_pairs/1", artifact_store) as writer:
            writer.lineage["labeled"] = opened.digest
            write_records(writer.folder / "pairs.jsonl", _counted(build_pairs(path, plan, parsed), summary))
            _write_summary(writer.folder / "report.json", summary)
            writer.details["settings"] = parsed.model_dump(mode="json")
            if why:
                writer.details["no_pair"] = why
            writer.counts.update(summary.counts())
    for name, value in summary.metrics().items():
        metrics.log_metric(name, value)
    write_page(report.path, render_report(summary))


def read_plan(path: Path, settings: PreferencesSettings) -> Plan:
    """First pass over the traces: which of them become pairs."""
    return plan_pairs(
        (
            candidate(
                line,
                trace,
                settings.kind,
                require_answerable=settings.require_answerable,
                reject_cut_off=settings.reject_cut_off,
            )
            for line, trace in enumerate(read_records(path, LabeledTrace))
        ),
        settings,
    )


def build_pairs(path: Path, plan: Plan, settings: PreferencesSettings) -> Iterator[PreferencePair]:
    """Second pass: the planned pairs, of which one at a time is in memory."""
    progress = Progress("preferences", len(plan.pairs))
    with open_labeled_traces(path) as traces:
        for planned in plan.pairs:
            chosen, rejected = traces.read(planned.chosen.line), traces.read(planned.rejected.line)
            yield build_pair(chosen, rejected, settings.kind)
            progress.advance()


def nothing_to_pair(plan: Plan, settings: PreferencesSettings) -> str:
    """One line: why no question gave a pair, and what may help."""
    if not plan.traces_read:
        return "labeled: holds no traces; expected judged traces with and without calls of the same questions"
    reasons = "; ".join(f"{count} x {reason}" for reason, count in plan.questions.most_common())
    traces = "; ".join(f"{count} x {reason}" for reason, count in plan.traces.most_common())
    changes = [
        "more samples a question (trace_generation: num_samples, or no_tool_samples for the wrong side)"
    ]
    if settings.contrast == "tool":
        changes.append("contrast both")
    if plan.traces[NOT_ANSWERED]:
        changes.append("require_answerable off")
    return (
        f"labeled: no question gives a pair. Of {plan.questions_read} questions: {reasons}. Of "
        f"{plan.traces_read} traces: {traces}. What may help: {', '.join(changes)}"
    )


def _counted(pairs: Iterator[PreferencePair], summary: Summary) -> Iterator[PreferencePair]:
    for pair in pairs:
        summary.add(pair)
        yield pair


def _write_summary(path: Path, summary: Summary) -> None:
    text = json.dumps(summary.report(), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
