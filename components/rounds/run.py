"""One round against the rounds before it: its record, the best adapter so far, and whether to go on."""

from typing import Any

from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.methods import NONE, is_on
from components.contracts.pages import write_page
from components.contracts.records import LabeledTrace
from components.rounds.choice import sampler_of
from components.rounds.comparison import in_order_of
from components.rounds.history import History, read_history, read_items, scalar_metrics, write_history
from components.rounds.judgement import Round, base_record, hand_on_record, judge
from components.rounds.kept import Kept, kept_of
from components.rounds.practice import measure_practice
from components.rounds.records import Practice, RoundRecord
from components.rounds.report import render_report
from components.rounds.settings import RoundsSettings
from components.rounds.words import called, few_questions_note
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
    best_labeled: Any,
    best_evaluation: Any,
    spare: Any,
    spare_labeled: Any,
    spare_evaluation: Any,
    next_adapter: Any,
    metrics: Any,
    report: Any,
    earlier: Any = None,
    best_so_far: Any = None,
    best_labeled_so_far: Any = None,
    best_evaluation_so_far: Any = None,
    spare_so_far: Any = None,
    spare_labeled_so_far: Any = None,
    spare_evaluation_so_far: Any = None,
    method: str = "",
) -> str:
    """Judge one round against those before it and write `rounds/1`; the method of the next round.

    evaluation, base: artifacts evaluation/1 of this round's adapter and of the base model, on the
    validation split. adapter: artifact adapter/1. labeled: artifact labeled_traces/1 that the round practised
    on. earlier: artifact rounds/1 of the round before. ..._so_far: what the round before gave out under that
    name. history, best ..., spare ..., next_adapter, metrics, report: KFP artifacts. method: "none" when nothing
    was trained in this round.

    `best` is the adapter of the best round so far, with what it was trained on and how it was judged. While no
    round is better than the base model it is the best of the adapters all the same, and promotion, which compares
    it with the base model, refuses it. `spare` is what becomes the best if the next round bars this one (see
    `components.rounds.choice`); the best again where there is no other.

    Raises:
        InputError: settings, method or artifacts can't be used; an evaluation judged another split,
            question set or adapter, or was made under other settings; what is called best or spare so far
            is not what the history calls so.
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
    base_model = str(judged.manifest.details.get("base_model", ""))
    found = Round(
        # An evaluation that was handed on has an older title.
        title="" if judged.digest in {record.evaluation for record in past.records} else _title(judged),
        adapter=policy.digest,
        evaluation=judged.digest,
        labeled=practised.digest,
        method=method,
        items=in_order_of(read_items(judged, last.number + 1, "evaluation"), past.items[0], "evaluation"),
        practice=read_practice(practised, base_model, sampler_of(past.records)[1]),
    )
    record = (
        judge(found, past.records, past.items, options)
        if trained
        else hand_on_record(found, past.records, options)
    )
    following = NONE if record.ended else method
    whole = past.with_round(record, found.items)
    sides = (
        Kept(adapter, labeled, evaluation),
        Kept(best_so_far, best_labeled_so_far, best_evaluation_so_far),
        Kept(spare_so_far, spare_labeled_so_far, spare_evaluation_so_far),
    )
    kept = kept_of(record.best_adapter_round, whole.records, *sides)
    spared = kept_of(record.spare_round or record.best_adapter_round, whole.records, *sides)
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
    kept.hand_on(Kept(best, best_labeled, best_evaluation))
    spared.hand_on(Kept(spare, spare_labeled, spare_evaluation))
    following_adapter = kept.adapter if record.ended else adapter
    hand_on(following_adapter.path, next_adapter.path, "adapter/1")
    write_page(report.path, page)
    for name, value in scalar_metrics(whole.records).items():
        metrics.log_metric(name, value)
    print_record(record, few_questions_note(whole.records, options.confidence))
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


def read_practice(labeled: Artifact, model: str, adapter: str) -> Practice | None:
    """The figures of what that policy sampled; None when it sampled nothing. Traces are read as a stream."""
    practice = measure_practice(read_records(labeled.path("traces.jsonl"), LabeledTrace), model, adapter)
    return practice if practice.traces else None


def print_record(record: RoundRecord, note: str) -> None:
    """The verdict, the alarms and the note, for the log."""
    print(f"[rounds] round {record.number}: {record.verdict}", flush=True)
    for alarm in record.alarms:
        severe = "severe alarm" if alarm.severe else "alarm"
        print(f"[rounds] {severe} {alarm.name} of {called(alarm.round)}: {alarm.sentence}", flush=True)
    if note:
        print(f"[rounds] {note}", flush=True)


def _past(
    earlier: Any, judged: Artifact, base: Artifact, options: RoundsSettings, artifact_store: str
) -> History:
    """The rounds before; in the first round the base model alone."""
    if earlier is not None:
        return read_history(open_input(earlier.path, "rounds/1", artifact_store), judged, base)
    items = read_items(base, 0, "base")
    items = in_order_of(items, items, "base")
    return History([base_record(_title(base), base.digest, items, options)], {0: items})


def _title(evaluation: Artifact) -> str:
    return str(evaluation.manifest.details.get("title") or "")
