"""Promotion: before against after by paired bootstrap, the gate, the card, the report, the publishing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_raw, read_records
from components.contracts.pages import write_page
from components.contracts.policy_card import read_card
from components.contracts.progress import Progress
from components.contracts.records import EvaluationItem, LabeledTrace, Trace
from components.promotion.comparison import Comparison, compare, summary_of
from components.promotion.conditions import check_policies, open_between, open_without_tools
from components.promotion.gate import Decision, decide
from components.promotion.model_card import render_model_card
from components.promotion.publish import publish
from components.promotion.report import Facts, Stop, render_report
from components.promotion.settings import PromotionSettings
from components.promotion.viewer import build_viewer
from components.promotion.when_tools_help import Helped, compare_help, help_tables, summary_of_help
from components.scoring.groups import OVERALL
from components.scoring.pairing import pair_by_id
from components.storage import open_input, write_output


def run(
    before: Any,
    after: Any,
    adapter: Any,
    labeled: Any,
    publish_to: str,
    settings: str,
    artifact_store: str,
    comparison: Any,
    model_card: Any,
    metrics: Any,
    report: Any,
    between: Any = None,
    without_tools: Any = None,
) -> None:
    """Compare two `evaluation/1`, write `comparison/1`, publish the adapter when the gate opens.

    before, after: artifacts evaluation/1. adapter: artifact adapter/1. labeled: artifact
    labeled_traces/1, for the report. comparison, model_card, metrics, report: KFP artifacts. between:
    artifact evaluation/1 of a policy on the way; without_tools: one of the base model without tools, for the
    table of when tools help; both are shown and decide nothing. An adapter that is not promoted is not
    published, and that is not an error.

    Raises:
        InputError: settings or artifacts can't be used, the evaluations judged different questions or
            were made under different conditions, `after` judged another adapter, `without_tools` did not
            judge the base model without tools, or `publish_to` or an output can't be written.
    """
    options = PromotionSettings.parse(settings)
    inputs = {
        "before": open_input(before.path, "evaluation/1", artifact_store),
        "after": open_input(after.path, "evaluation/1", artifact_store),
        "adapter": open_input(adapter.path, "adapter/1", artifact_store),
        "labeled": open_input(labeled.path, "labeled_traces/1", artifact_store),
    }
    check_policies(inputs["before"], inputs["after"], inputs["adapter"])
    on_the_way = open_between(between, inputs["before"], artifact_store)
    no_tools = open_without_tools(without_tools, inputs["before"], artifact_store)
    progress = Progress("promotion", 4)
    items = {
        side: list(read_records(inputs[side].path("items.jsonl"), EvaluationItem))
        for side in ("before", "after")
    }
    pairs = pair_by_id(items["before"], items["after"])
    if not pairs:
        raise InputError("before: the evaluation holds no item; expected at least one judged question")
    traces_before, traces_after = read_traces(inputs["before"]), read_traces(inputs["after"])
    progress.advance()
    compared = compare(pairs, traces_before, traces_after, options)
    stop = compare_between(on_the_way, items["before"], traces_before, options)
    helped = compare_help(no_tools, pairs, options) if no_tools is not None else {}
    decision = decide(compared, options)
    progress.advance()
    facts = gather_facts(inputs, options)
    tables = help_tables(helped)
    card = render_model_card(compared, decision, facts, tables)
    if decision.promoted and publish_to:
        facts = replace(facts, published=publish(inputs["adapter"], card, publish_to, lineage(inputs)))
    viewer = build_viewer(
        pairs,
        traces_before,
        traces_after,
        read_records(inputs["labeled"].path("traces.jsonl"), LabeledTrace),
        options,
    )
    log = read_training_log(inputs["adapter"])
    page = render_report(compared, decision, viewer, log, facts, stop, tables)
    progress.advance()
    with write_output(comparison.path, "comparison/1", artifact_store) as writer:
        writer.lineage.update(lineage(inputs))
        writer.counts["questions"] = len(pairs)
        summary = summary_of(compared) | verdict_of(decision, facts)
        if stop is not None:
            summary["between"] = {"title": stop.title} | summary_of(stop.comparison)
        if no_tools is not None:
            writer.lineage["evaluation_without_tools"] = no_tools.digest
            summary["tool_help"] = summary_of_help(helped)
        text = json.dumps(summary, indent=2, allow_nan=False)
        (writer.folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        (writer.folder / "report.html").write_text(page, encoding="utf-8")
    write_page(report.path, page)
    write_page(model_card.path, card)
    for name, value in (scalar_metrics(compared, decision) | help_metrics(helped)).items():
        metrics.log_metric(name, value)
    progress.advance()
    print_decision(decision, facts)


def compare_between(
    on_the_way: Artifact | None,
    before: Sequence[EvaluationItem],
    traces_before: Mapping[str, Trace],
    options: PromotionSettings,
) -> Stop | None:
    """The policy on the way against the one before."""
    if on_the_way is None:
        return None
    items = list(read_records(on_the_way.path("items.jsonl"), EvaluationItem))
    compared = compare(pair_by_id(before, items), traces_before, read_traces(on_the_way), options)
    return Stop(str(on_the_way.manifest.details.get("title") or "on the way"), compared)


def read_traces(evaluation: Artifact) -> dict[str, Trace]:
    """The traces of an evaluation by question id."""
    return {trace.question.id: trace for trace in read_records(evaluation.path("traces.jsonl"), Trace)}


def read_training_log(adapter: Artifact) -> list[dict[str, float]]:
    """Rows of the adapter's training log that hold a step and a loss; empty when it has no log."""
    if all(entry.path != "training_log.jsonl" for entry in adapter.manifest.files):
        return []
    return list(_logged_losses(adapter.path("training_log.jsonl")))


def gather_facts(inputs: Mapping[str, Artifact], options: PromotionSettings) -> Facts:
    """What the card and the report say about where things come from.

    Raises:
        InputError: the adapter's policy.json can't be read.
    """
    policy = read_card(inputs["adapter"].folder)
    return Facts(
        base_model=policy.base_model,
        adapter=inputs["adapter"].digest,
        lineage=lineage(inputs)
        | {name: digest for name, digest in policy.lineage.items() if name != "adapter"},
        training=policy.settings,
        recipe=recipe_of(policy.settings, inputs["adapter"].manifest.details),
        call_format=policy.call_format,
        template_hash=policy.template_hash,
        confidence=options.confidence,
        samples=options.samples,
        seed=options.seed,
    )


def recipe_of(training: Mapping[str, JsonValue], details: Mapping[str, JsonValue]) -> dict[str, str]:
    """How the adapter was trained, as far as its card or its manifest's details say: stage, loss, kind of pairs."""
    names = {"stage": "stage", "loss": "loss", "kind": "kind of pairs", "round": "round"}
    given = {shown: details.get(name, training.get(name)) for name, shown in names.items()}
    return {
        shown: str(value) for shown, value in given.items() if isinstance(value, str | int) and value != ""
    }


def lineage(inputs: Mapping[str, Artifact]) -> dict[str, str]:
    """Digests of everything this stage read, the question set included."""
    digests = {
        name if name in ("adapter", "labeled") else f"evaluation_{name}": opened.digest
        for name, opened in inputs.items()
    }
    questions = inputs["after"].manifest.lineage.get("question_set")
    return digests | ({"question_set": questions} if questions else {})


def verdict_of(decision: Decision, facts: Facts) -> dict[str, Any]:
    """The decision as it stands in summary.json."""
    checks = [{"name": c.name, "passed": c.passed, "reason": c.reason} for c in decision.checks]
    return {"decision": {"promoted": decision.promoted, "checks": checks}, "published": facts.published}


def scalar_metrics(compared: Comparison, decision: Decision) -> dict[str, float]:
    """What KFP's Metrics shows: per group the accuracies, their difference and its bounds."""
    found = {"promoted": float(decision.promoted)}
    for name, group in compared.groups.items():
        prefix = "" if name == OVERALL else f"{name}_"
        interval = group.differences["accuracy"]
        if interval is not None:
            found[f"{prefix}accuracy_difference"] = interval.mean
            found[f"{prefix}accuracy_difference_low"] = interval.low
            found[f"{prefix}accuracy_difference_high"] = interval.high
        for metric in ("accuracy", "invoke_rate", *group.calls_before):
            for side in ("before", "after"):
                value = group.rate(side, metric)
                if value is not None:
                    found[f"{prefix}{metric}_{side}"] = value
    return found


def help_metrics(helped: Mapping[str, Helped]) -> dict[str, float]:
    """What KFP's Metrics shows of the table of when tools help: overall shares after."""
    found = helped.get(OVERALL)
    if found is None:
        return {}
    names = ("overuse", "harmed", "rescued", "underuse")
    return {f"{name}_after": found.after.share(name) or 0.0 for name in names}


def print_decision(decision: Decision, facts: Facts) -> None:
    """The verdict as log lines."""
    print(f"[promotion] {'promoted' if decision.promoted else 'not promoted'}", flush=True)
    for check in decision.checks:
        print(f"[promotion] {'passed' if check.passed else 'FAILED'}: {check.reason}", flush=True)
    if facts.published:
        print(f"[promotion] published to {facts.published}", flush=True)


def _logged_losses(path: Path) -> Iterator[dict[str, float]]:
    for _, row in read_raw(path):
        if (
            isinstance(row, dict)
            and isinstance(row.get("step"), int)
            and isinstance(row.get("loss"), int | float)
        ):
            yield {"step": float(row["step"]), "loss": float(row["loss"])}
