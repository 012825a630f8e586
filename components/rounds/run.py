"""One round against the rounds before it: its record, the best adapter so far, and whether to go on."""

from typing import Any

from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.methods import NONE, is_on
from components.contracts.pages import write_page
from components.contracts.records import LabeledTrace
from components.rounds.comparison import in_order_of
from components.rounds.history import History, read_history, read_items, scalar_metrics, write_history
from components.rounds.judgement import Round, base_record, hand_on_record, judge
from components.rounds.practice import measure_practice
from components.rounds.records import Practice, RoundRecord
from components.rounds.report import render_report
from components.rounds.settings import RoundsSettings
from components.scoring.conditions import check_same_conditions
from components.storage import hand_on, open_input, write_output


def run(
    evaluation: Any,
    adapter: Any,
    labeled: Any,
    base: Any,
    settings: str,
    artifact_store: str,
    history: Any,
    best: Any,
    next_adapter: Any,
    metrics: Any,
    report: Any,
    earlier: Any = None,
    best_so_far: Any = None,
    method: str = "",
) -> str:
    """Judge one round against those before it and write `rounds/1`; the method of the next round.

    evaluation, base: artifacts evaluation/1 of this round's adapter and of the base model, on the
    validation split. adapter, best_so_far: artifacts adapter/1. labeled: artifact labeled_traces/1 that the
    round practised on. earlier: artifact rounds/1 of the round before. history, best, next_adapter, metrics,
    report: KFP artifacts. method: "none" when nothing was trained in this round.

    `best` is the adapter of the best round so far. While no round is better than the base model it is the best
    of the adapters all the same, and promotion, which compares it with the base model, refuses it.

    Raises:
        InputError: settings, method or artifacts can't be used; an evaluation judged another split,
            question set or adapter, or was made under other settings; `best_so_far` is not the history's.
    """
    options = RoundsSettings.parse(settings)
    trained = is_on("rounds", method)
    judged = open_input(evaluation.path, "evaluation/1", artifact_store)
    zero = open_input(base.path, "evaluation/1", artifact_store)
    policy = open_artifact(adapter.path, "adapter/1")  # weights that lie in a store stay there
    practised = open_input(labeled.path, "labeled_traces/1", artifact_store)
    check_policies(judged, zero, policy)
    check_same_conditions(("base", "evaluation"), zero.manifest, judged.manifest)
    past = _past(earlier, judged, zero, options, artifact_store)
    last = past.records[-1]
    found = Round(
        title=_title(judged) if trained else "",  # an evaluation that was handed on has an older title
        adapter=policy.digest,
        evaluation=judged.digest,
        labeled=practised.digest,
        method=method,
        items=in_order_of(read_items(judged, last.number + 1, "evaluation"), past.items[0], "evaluation"),
        practice=read_practice(practised),
    )
    record = (
        judge(found, past.records, past.items, options)
        if trained
        else hand_on_record(found, past.records, options)
    )
    following = NONE if record.hurt else method
    kept = adapter if record.best_adapter == policy.digest else best_so_far
    _check_kept(record, policy, kept)
    whole = past.with_round(record, found.items)
    page = render_report(whole.records, options)
    with write_output(history.path, "rounds/1", artifact_store) as writer:
        write_history(writer.folder, whole, page)
        writer.counts.update(rounds=record.number, questions=len(found.items))
        writer.lineage.update(
            question_set=judged.manifest.lineage.get("question_set", ""),
            base=zero.digest,
            evaluation=judged.digest,
            adapter=policy.digest,
            labeled=practised.digest,
        )
        writer.details["settings"] = options.model_dump(mode="json")
    hand_on(kept.path, best.path, "adapter/1")
    hand_on(kept.path if record.hurt else adapter.path, next_adapter.path, "adapter/1")
    write_page(report.path, page)
    for name, value in scalar_metrics(whole.records).items():
        metrics.log_metric(name, value)
    print_record(record)
    return following


def check_policies(judged: Artifact, base: Artifact, adapter: Artifact) -> None:
    """Refuse an evaluation of another adapter, and one of an adapter as the base model's.

    Raises:
        InputError: says which policy was judged.
    """
    found = judged.manifest.lineage.get("adapter", "")
    if found != adapter.digest:
        shown = found[:12] or "the base model"
        raise InputError(
            f"evaluation: it judged {shown}, expected an evaluation of adapter {adapter.digest[:12]}"
        )
    if base.manifest.lineage.get("adapter"):
        raise InputError("base: it judged an adapter, expected an evaluation of the base model itself")


def read_practice(labeled: Artifact) -> Practice | None:
    """The figures of the round's traces, which are read as a stream; None without any trace."""
    practice = measure_practice(read_records(labeled.path("traces.jsonl"), LabeledTrace))
    return practice if practice.traces else None


def print_record(record: RoundRecord) -> None:
    """The verdict and the alarms, for the log."""
    print(f"[rounds] round {record.number}: {record.verdict}", flush=True)
    for alarm in record.alarms:
        severe = "severe alarm" if alarm.severe else "alarm"
        print(f"[rounds] {severe} {alarm.name}: {alarm.sentence}", flush=True)


def _past(
    earlier: Any, judged: Artifact, base: Artifact, options: RoundsSettings, artifact_store: str
) -> History:
    """The rounds before; in the first round the base model alone."""
    if earlier is not None:
        return read_history(open_input(earlier.path, "rounds/1", artifact_store), judged, base)
    items = read_items(base, 0, "base")
    items = in_order_of(items, items, "base")
    return History([base_record(_title(base), base.digest, items, options)], {0: items})


def _check_kept(record: RoundRecord, policy: Artifact, kept: Any) -> None:
    if record.best_adapter == policy.digest:
        return
    if kept is None:
        raise InputError(
            f"best_so_far: absent, expected adapter {record.best_adapter[:12]} of round {record.best_adapter_round}"
        )
    digest = open_artifact(kept.path, "adapter/1").digest
    if digest != record.best_adapter:
        raise InputError(
            f"best_so_far: adapter {digest[:12]}, expected {record.best_adapter[:12]}, which the history calls the best"
        )


def _title(evaluation: Artifact) -> str:
    return str(evaluation.manifest.details.get("title") or "")
