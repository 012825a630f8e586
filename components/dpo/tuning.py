"""Preference tuning itself: pairs become token ids, the policy learns from them, the adapter is written."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.pages import write_page
from components.contracts.policy_card import read_card
from components.contracts.records import PreferencePair
from components.dpo.pairs import EQUAL, TOO_LONG, UNTRAINED, PreparedPairs, prepare_pairs
from components.dpo.report import render_report
from components.dpo.settings import DPOSettings
from components.dpo.training import PairLogRow, train
from components.policy.card import check_card, make_card, write_card
from components.policy.checkpoints import open_checkpoints
from components.policy.distance import effective_weights, moved
from components.policy.distributed import (
    is_first_process,
    missing_processes,
    run_in_processes,
    take_own_device,
)
from components.policy.save import save_weights
from components.policy.trainable import load_trainable
from components.policy.training_loop import TrainingResult
from components.storage import open_input, write_output

DROPPED = {"too_long": TOO_LONG, "equal": EQUAL, "untrained": UNTRAINED}  # metric: reason


def tune(
    parsed: DPOSettings,
    pairs: Any,
    base_model: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    adapter: Any,
    metrics: Any,
    report: Any,
    initial: Any,
    overrides: str,
) -> None:
    """Train on the pairs and write `adapter/1`; arguments and errors are those of `run`, `parsed` its settings."""
    if processes := missing_processes():
        options = {
            "pairs": pairs.path,
            "base-model": base_model,
            "settings": settings,
            "artifact-store": artifact_store,
            "checkpoint-root": checkpoint_root,
            "adapter": adapter.path,
            "report": report.path,
            "initial": initial.path if initial is not None else "",
            "overrides": overrides,
        }
        for name, value in run_in_processes("components.dpo", processes, options).items():
            metrics.log_metric(name, value)
        return
    take_own_device()
    opened = open_input(pairs.path, "preference_pairs/1", artifact_store)
    start = open_input(initial.path, "adapter/1", artifact_store) if initial is not None else None
    call_format, records = _peek(opened)
    policy = load_trainable(base_model, parsed, call_format, start.folder if start else None)
    if start is not None:
        check_card(read_card(start.folder), policy.chat, base_model)
    prepared = prepare_pairs(records, policy.chat, max_tokens=parsed.max_tokens)

    lineage = {"pairs": opened.digest, **({"initial": start.digest} if start else {})}
    checkpoints = open_checkpoints(checkpoint_root, parsed, base_model, lineage)
    before = effective_weights(policy.model) if is_first_process() else None
    began = time.monotonic()
    result = train(policy.model, prepared.pairs, parsed, checkpoints)
    if before is None:
        return
    figures = summarize(prepared, result, parsed, seconds=time.monotonic() - began)
    figures["moved"] = moved(policy.model, before)

    with write_output(adapter.path, "adapter/1", artifact_store) as writer:
        save_weights(policy.model, policy.tokenizer, writer.folder, base_model)
        card = make_card(policy.chat, base_model, settings=parsed.model_dump(mode="json"), lineage=lineage)
        write_card(card, writer.folder)
        write_records(writer.folder / "training_log.jsonl", result.log)
        writer.counts.update(pairs=len(prepared.pairs), steps=result.steps)
        writer.lineage.update(lineage)
        writer.details.update(
            moved=figures["moved"], dropped=dict(prepared.dropped), kinds=dict(prepared.kinds)
        )
    write_page(report.path, render_report(result.log, figures, parsed.model_dump()))
    if checkpoints is not None:
        checkpoints.clear()
    for name, value in figures.items():
        metrics.log_metric(name, float(value))


def summarize(
    prepared: PreparedPairs, result: TrainingResult[PairLogRow], settings: DPOSettings, *, seconds: float
) -> dict[str, float]:
    """The stage's metrics. Tokens are those of all epochs; seconds those of this attempt."""
    first, last = result.log[0], result.log[-1]
    return {
        "loss_first": first.loss,
        "loss_last": last.loss,
        "reward_margin_last": last.reward_margin,
        "reward_accuracy_first": first.reward_accuracy,
        "reward_accuracy_last": last.reward_accuracy,
        "chosen_logprob_first": first.chosen_logprob,
        "chosen_logprob_last": last.chosen_logprob,
        "rejected_logprob_first": first.rejected_logprob,
        "rejected_logprob_last": last.rejected_logprob,
        "steps": result.steps,
        "pairs": len(prepared.pairs),
        "pairs_read": prepared.read,
        **{f"dropped_{name}": prepared.dropped[reason] for name, reason in DROPPED.items()},
        "tokens": prepared.tokens * settings.epochs,
        "trained_tokens": prepared.trained_tokens * settings.epochs,
        "micro_batch": result.micro_batch,
        "resumed_from_step": result.resumed_from,
        "checkpoints_failed": result.checkpoints_failed,
        "seconds": round(seconds, 3),
    }


def _peek(opened: Artifact) -> tuple[str, Iterator[PreferencePair]]:
    """The call format of the first pair, and all pairs."""
    path = opened.path("pairs.jsonl")
    records = read_records(path, PreferencePair)
    first = next(records, None)
    if first is None:
        raise InputError(f"pairs: {path} holds no pairs; expected at least one")
    return first.call_format, itertools.chain([first], records)
