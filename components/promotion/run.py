"""Promotion: before against after by paired bootstrap, the gate, the card and the report."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
from components.promotion.conditions import (
    check_policies,
    open_between,
    open_regression,
    open_without_tools,
)
from components.promotion.gate import Decision, decide
from components.promotion.leaderboard import AFTER, BEFORE, ON_THE_WAY, build_leaderboard
from components.promotion.model_card import render_model_card
from components.promotion.report import Facts, Stop, render_report
from components.promotion.settings import PromotionSettings
from components.promotion.suites import compare_suites, own_pairs, suite_metrics, summary_of_suites
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
    settings: str,
    artifact_store: str,
    comparison: Any,
    model_card: Any,
    metrics: Any,
    report: Any,
    between: Any = None,
    without_tools: Any = None,
    regression_before: Any = None,
    regression_after: Any = None,
) -> str:
    """Compare two `evaluation/1`, decide, and write `comparison/1`; gives "promoted" or "kept back".

    before, after: artifacts evaluation/1. adapter: artifact adapter/1. labeled: artifact
    labeled_traces/1, for the report. comparison, model_card, metrics, report: KFP artifacts. between:
    artifact evaluation/1 of a policy on the way; without_tools: one of the base model without tools, for the
    table of when tools help; both are shown and decide nothing. regression_before, regression_after: artifacts
    evaluation/1 of the regression stage, both or neither. An adapter that is kept back is not an error.

    Raises:
        InputError: settings or artifacts can't be used, the evaluations judged different questions or
            were made under different conditions, `after` judged another adapter, `without_tools` did not
            judge the base model without tools, a suite of the settings was not judged, or an output can't be
            written.
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
    regression = open_regression(regression_before, regression_after, inputs["adapter"], artifact_store)
    progress = Progress("promotion", 4)
    pairs = pair_by_id(read_items(inputs["before"]), read_items(inputs["after"]))
    if not pairs:
        raise InputError("before: the evaluation holds no item; expected at least one judged question")
    traces_before, traces_after = read_traces(inputs["before"]), read_traces(inputs["after"])
    progress.advance()
    split = str(inputs["before"].manifest.details.get("split", ""))
    own = own_pairs(pairs, split)
    compared = compare(own, traces_before, traces_after, options)
    stop = compare_between(on_the_way, [one for one, _ in own], traces_before, options)
    helped = compare_help(no_tools, pairs, options) if no_tools is not None else {}
    beside = pair_by_id(*(read_items(one) for one in regression)) if regression else []
    suites = compare_suites([*pairs, *beside], split, options)
    decision = decide(compared, options, suites)
    progress.advance()
    facts = gather_facts(inputs, options)
    tables = help_tables(helped)
    card = render_model_card(compared, decision, facts, tables, suites)
    viewer = build_viewer(
        pairs,
        traces_before,
        traces_after,
        read_records(inputs["labeled"].path("traces.jsonl"), LabeledTrace),
        options,
    )
    log = read_training_log(inputs["adapter"])
    policies = {BEFORE: inputs["before"], ON_THE_WAY: on_the_way, AFTER: inputs["after"]}
    judged = {role: evaluation for role, evaluation in policies.items() if evaluation is not None}
    board = build_leaderboard(judged, own, [*pairs, *beside], suites, options)
    page = render_report(compared, decision, board, viewer, log, facts, stop, tables)
    progress.advance()
    with write_output(comparison.path, "comparison/1", artifact_store) as writer:
        writer.lineage.update(lineage(inputs))
        writer.counts["questions"] = len(pairs)
        summary = summary_of(compared) | summary_of_suites(suites) | verdict_of(decision)
        summary["confidence"] = options.confidence
        summary["seconds"] = round(sum(one.seconds for pair in pairs for one in pair), 3)
        if stop is not None:
            summary["between"] = {"title": stop.title} | summary_of(stop.comparison)
        for side, opened in zip(("before", "after"), regression, strict=False):
            writer.lineage[f"regression_{side}"] = opened.digest
        if no_tools is not None:
            writer.lineage["evaluation_without_tools"] = no_tools.digest
            summary["tool_help"] = summary_of_help(helped)
        text = json.dumps(summary, indent=2, allow_nan=False)
        (writer.folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        (writer.folder / "report.html").write_text(page, encoding="utf-8")
        (writer.folder / "model_card.md").write_text(card, encoding="utf-8")
    write_page(report.path, page)
    write_page(model_card.path, card)
    numbers = scalar_metrics(compared, decision) | suite_metrics(suites) | help_metrics(helped)
    for name, value in numbers.items():
        metrics.log_metric(name, value)
    progress.advance()
    print_decision(decision)
    return decision.word


def compare_between(
    on_the_way: Artifact | None,
    before: Sequence[EvaluationItem],
    traces_before: Mapping[str, Trace],
    options: PromotionSettings,
) -> Stop | None:
    """The policy on the way against the one before, on the questions of `before`."""
    if on_the_way is None:
        return None
    asked = {item.id for item in before}
    items = [item for item in read_items(on_the_way) if item.id in asked]
    compared = compare(pair_by_id(before, items), traces_before, read_traces(on_the_way), options)
    return Stop(str(on_the_way.manifest.details.get("title") or "on the way"), compared)


def read_items(evaluation: Artifact) -> list[EvaluationItem]:
    """The judged items of an evaluation."""
    return list(read_records(evaluation.path("items.jsonl"), EvaluationItem))


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
        lineage={
            name: digest
            for name, digest in (lineage(inputs) | policy.lineage).items()
            if name != "adapter"  # stands by itself
        },
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


def verdict_of(decision: Decision) -> dict[str, Any]:
    """The decision as it stands in summary.json."""
    checks = [{"name": c.name, "passed": c.passed, "reason": c.reason} for c in decision.checks]
    return {"decision": {"promoted": decision.promoted, "checks": checks}}


def scalar_metrics(compared: Comparison, decision: Decision) -> dict[str, float]:
    """What KFP's Metrics shows: the decision, each check, and per group the accuracies with the difference's interval."""
    found = {"promoted": float(decision.promoted)}
    found |= {f"check_{check.name.replace(':', '_')}": float(check.passed) for check in decision.checks}
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


def print_decision(decision: Decision) -> None:
    """The verdict as log lines."""
    print(f"[promotion] {decision.word}", flush=True)
    for check in decision.checks:
        print(f"[promotion] {'passed' if check.passed else 'FAILED'}: {check.reason}", flush=True)


def _logged_losses(path: Path) -> Iterator[dict[str, float]]:
    for _, row in read_raw(path):
        if (
            isinstance(row, dict)
            and isinstance(row.get("step"), int)
            and isinstance(row.get("loss"), int | float)
        ):
            yield {"step": float(row["step"]), "loss": float(row["loss"])}
