"""Supervised fine-tuning: labeled traces in, adapter out."""

import time
from typing import Any

from components.contracts.jsonl import write_records
from components.contracts.methods import is_on
from components.contracts.pages import write_page
from components.contracts.policy_card import read_card
from components.contracts.records import LabeledTrace
from components.policy.card import check_card, make_card, write_card
from components.policy.checkpoints import open_checkpoints
from components.policy.distance import effective_weights, moved
from components.policy.distributed import (
    is_first_process,
    missing_processes,
    run_in_processes,
    take_own_device,
)
from components.policy.hand_on import hand_adapter_on
from components.policy.save import save_weights
from components.policy.trainable import load_trainable
from components.policy.training_loop import LogRow, TrainingResult
from components.rollout.shown import call_format_of, peek_call_format
from components.sft.dataset import Prepared, prepare_examples
from components.sft.report import TITLE, render_report
from components.sft.settings import SFTSettings
from components.sft.training import train
from components.storage import open_input, write_output


def run(
    labeled: Any,
    base_model: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    adapter: Any,
    metrics: Any,
    report: Any,
    initial: Any = None,
    overrides: str = "{}",
    method: str = "",
) -> None:
    """Fine-tune the policy on the trained turns of `labeled_traces/1` and write `adapter/1`.

    labeled, adapter, metrics, report, initial: KFP artifacts. overrides: JSON object over `settings`.
    method: where sft is not in it, `initial` is handed on (see `contracts.methods`).

    Raises:
        InputError: settings, artifacts or model can't be used; no trace can be trained on.
        NonFiniteError: a loss or gradient was NaN or infinite; checkpoints before it stay.
    """
    parsed = SFTSettings.parse(settings, overrides)
    if not is_on("sft", method):
        given = open_input(labeled.path, "labeled_traces/1", artifact_store)
        form = call_format_of(given, "traces.jsonl", LabeledTrace)
        hand_adapter_on(
            TITLE,
            parsed,
            base_model,
            artifact_store,
            adapter,
            metrics,
            report,
            initial,
            call_format=form,
        )
        return
    if processes := missing_processes():
        options = {
            "labeled": labeled.path,
            "base-model": base_model,
            "settings": settings,
            "artifact-store": artifact_store,
            "checkpoint-root": checkpoint_root,
            "adapter": adapter.path,
            "report": report.path,
            "initial": initial.path if initial is not None else "",
            "overrides": overrides,
        }
        for name, value in run_in_processes("components.sft", processes, options).items():
            metrics.log_metric(name, value)
        return
    take_own_device()
    traces = open_input(labeled.path, "labeled_traces/1", artifact_store)
    start = open_input(initial.path, "adapter/1", artifact_store) if initial is not None else None
    call_format, records = peek_call_format(traces, "a turn to train on")
    policy = load_trainable(base_model, parsed, call_format, start.folder if start else None)
    if start is not None:
        check_card(read_card(start.folder), policy.chat, base_model)
    prepared = prepare_examples(
        records,
        policy.chat,
        max_tokens=parsed.max_tokens,
        key_tokens=parsed.key_tokens,
        max_key_weight=parsed.max_key_weight,
    )

    lineage = {"labeled": traces.digest, **({"initial": start.digest} if start else {})}
    checkpoints = open_checkpoints(checkpoint_root, parsed, base_model, lineage)
    before = effective_weights(policy.model) if is_first_process() else None
    began = time.monotonic()
    result = train(policy.model, prepared.examples, parsed, checkpoints)
    if before is None:
        return
    figures = summarize(prepared, result, parsed, seconds=time.monotonic() - began)
    figures["moved"] = moved(policy.model, before)

    with write_output(adapter.path, "adapter/1", artifact_store) as writer:
        save_weights(policy.model, policy.tokenizer, writer.folder, base_model)
        card = make_card(policy.chat, base_model, settings=parsed.model_dump(mode="json"), lineage=lineage)
        write_card(card, writer.folder)
        write_records(writer.folder / "training_log.jsonl", result.log)
        writer.counts.update(examples=len(prepared.examples), steps=result.steps)
        writer.lineage.update(lineage)
        writer.details["moved"] = figures["moved"]
    page = render_report([row.loss for row in result.log], figures, parsed.model_dump())
    write_page(report.path, page)
    if checkpoints is not None:
        checkpoints.clear()
    for name, value in figures.items():
        metrics.log_metric(name, float(value))


def summarize(
    prepared: Prepared, result: TrainingResult[LogRow], settings: SFTSettings, *, seconds: float
) -> dict[str, float]:
    """The stage's metrics. Tokens are those of all epochs; seconds those of this attempt.

    key_token_weight: mean over the key tokens, 0 where there are none.
    """
    return {
        "loss_first": result.log[0].loss,
        "loss_last": result.log[-1].loss,
        "steps": result.steps,
        "examples": len(prepared.examples),
        "traces": prepared.read,
        "untrained": prepared.untrained,
        "dropped_too_long": prepared.too_long,
        "tokens": prepared.tokens * settings.epochs,
        "supervised_tokens": prepared.supervised_tokens * settings.epochs,
        "key_tokens": prepared.key_tokens * settings.epochs,
        "key_token_weight": prepared.key_token_weight / max(1, prepared.key_tokens),
        "micro_batch": result.micro_batch,
        "resumed_from_step": result.resumed_from,
        "checkpoints_failed": result.checkpoints_failed,
        "seconds": round(seconds, 3),
    }
