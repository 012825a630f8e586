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
from components.promotion.gate import Decision, decide
from components.promotion.model_card import render_model_card
from components.promotion.publish import publish
from components.promotion.report import Facts, Stop, render_report
from components.promotion.settings import PromotionSettings
from components.promotion.viewer import build_viewer
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
) -> None:
    """Compare two `evaluation/1`, write `comparison/1`, publish the adapter when the gate opens.

    before, after: artifacts evaluation/1. adapter: artifact adapter/1. labeled: artifact
    labeled_traces/1, for the report. comparison, model_card, metrics, report: KFP artifacts. between:
    artifact evaluation/1 of a policy on the way, which is shown and decides nothing. An adapter that is
    not promoted is not published, and that is not an error.

    Raises:
        InputError: settings or artifacts can't be used, the two evaluations judged different
            questions or were made under different settings, `after` judged another adapter, or
            `publish_to` or an output can't be written.
    """
    options = PromotionSettings.parse(settings)
    inputs = {
        "before": open_input(before.path, "evaluation/1", artifact_store),
        "after": open_input(after.path, "evaluation/1", artifact_store),
        "adapter": open_input(adapter.path, "adapter/1", artifact_store),
        "labeled": open_input(labeled.path, "labeled_traces/1", artifact_store),
    }
    check_lineage(inputs["before"], inputs["after"], inputs["adapter"])
    check_conditions(inputs["before"], inputs["after"])
    on_the_way = open_between(between, inputs["before"], artifact_store)
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
    decision = decide(compared, options)
    progress.advance()
    facts = gather_facts(inputs, options)
    card = render_model_card(compared, decision, facts)
    if decision.promoted and publish_to:
        facts = replace(facts, published=publish(inputs["adapter"], card, publish_to, lineage(inputs)))
    viewer = build_viewer(
        pairs,
        traces_before,
        traces_after,
        read_records(inputs["labeled"].path("traces.jsonl"), LabeledTrace),
        options,
    )
    page = render_report(compared, decision, viewer, read_training_log(inputs["adapter"]), facts, stop)
    progress.advance()
    with write_output(comparison.path, "comparison/1", artifact_store) as writer:
        writer.lineage.update(lineage(inputs))
        writer.counts["questions"] = len(pairs)
        summary = summary_of(compared) | verdict_of(decision, facts)
        if stop is not None:
            summary["between"] = {"title": stop.title} | summary_of(stop.comparison)
        text = json.dumps(summary, indent=2, allow_nan=False)
        (writer.folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        (writer.folder / "report.html").write_text(page, encoding="utf-8")
    write_page(report.path, page)
    write_page(model_card.path, card)
    for name, value in scalar_metrics(compared, decision).items():
        metrics.log_metric(name, value)
    progress.advance()
    print_decision(decision, facts)


def open_between(between: Any, before: Artifact, artifact_store: str) -> Artifact | None:
    """The evaluation on the way, if one is given.

    Raises:
        InputError: it judged other questions than `before`, or was made under other settings.
    """
    if between is None:
        return None
    opened = open_input(between.path, "evaluation/1", artifact_store)
    check_questions(before, opened)
    check_conditions(before, opened)
    return opened


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


def check_lineage(before: Artifact, after: Artifact, adapter: Artifact) -> None:
    """Refuse evaluations that can't be compared for this adapter.

    Raises:
        InputError: `after` judged another adapter, or the question sets differ.
    """
    judged = after.manifest.lineage.get("adapter", "")
    if judged != adapter.digest:
        shown = judged[:12] or "the base model"
        raise InputError(f"after: it judged {shown}, expected an evaluation of adapter {adapter.digest[:12]}")
    check_questions(before, after)


def check_questions(before: Artifact, after: Artifact) -> None:
    """Refuse evaluations of different question sets.

    Raises:
        InputError: names the beginnings of both digests.
    """
    sets = [side.manifest.lineage.get("question_set", "") for side in (before, after)]
    if sets[0] != sets[1]:
        raise InputError(
            f"before and after judged different question sets ({sets[0][:12]} and {sets[1][:12]}), "
            "expected two evaluations of the same one"
        )


def check_conditions(before: Artifact, after: Artifact) -> None:
    """Refuse evaluations of different base models or under different settings; their titles may differ.

    Raises:
        InputError: names the first setting that differs, and both values.
    """
    sides = [_conditions(side.manifest.details) for side in (before, after)]
    for name in sorted(sides[0].keys() | sides[1].keys()):
        values = [side.get(name, "absent") for side in sides]
        if name != "title" and values[0] != values[1]:
            raise InputError(
                f"before and after were made under different {name} ({values[0]} and {values[1]}), expected two "
                "evaluations that differ in the adapter alone"
            )


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
        call_format=policy.call_format,
        template_hash=policy.template_hash,
        confidence=options.confidence,
        samples=options.samples,
        seed=options.seed,
    )


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


def print_decision(decision: Decision, facts: Facts) -> None:
    """The verdict as log lines."""
    print(f"[promotion] {'promoted' if decision.promoted else 'not promoted'}", flush=True)
    for check in decision.checks:
        print(f"[promotion] {'passed' if check.passed else 'FAILED'}: {check.reason}", flush=True)
    if facts.published:
        print(f"[promotion] published to {facts.published}", flush=True)


def _conditions(details: Mapping[str, JsonValue], prefix: str = "") -> dict[str, str]:
    """Each value as JSON, by its dotted name."""
    found: dict[str, str] = {}
    for name, value in details.items():
        if isinstance(value, dict):
            found |= _conditions(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = json.dumps(value)
    return found


def _logged_losses(path: Path) -> Iterator[dict[str, float]]:
    for _, row in read_raw(path):
        if (
            isinstance(row, dict)
            and isinstance(row.get("step"), int)
            and isinstance(row.get("loss"), int | float)
        ):
            yield {"step": float(row["step"]), "loss": float(row["loss"])}
