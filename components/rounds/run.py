"""One round against the rounds before it: its record, the best adapter so far, and whether to go on."""

from collections.abc import Sequence
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
    next_adapter: Any,
    metrics: Any,
    report: Any,
    earlier: Any = None,
    best_so_far: Any = None,
    best_labeled_so_far: Any = None,
    best_evaluation_so_far: Any = None,
    method: str = "",
    title: str = "",
    noun: str = "round",
) -> str:
    """Judge one round against those before it and write `rounds/1`; the method of the next round.

    evaluation, base: artifacts evaluation/1 of this round's adapter and of the base model, on the
    validation split. adapter: artifact adapter/1. labeled: artifact labeled_traces/1 that the round practised
    on. earlier: artifact rounds/1 of the round before. ..._so_far: what the round before gave out under that
    name. history, best ..., next_adapter, metrics, report: KFP artifacts. method: "none" when nothing was to be
    trained in this round; nothing was, either, when its adapter is the one that it began with. title: what people
    call it, empty for "round 2" by its number. noun: what they call rounds, as one word.

    `best` is the adapter of the best round so far, with what it was trained on and how it was judged. While no
    round is better than the base model it is the best of the adapters all the same, and promotion, which compares
    it with the base model, refuses it.

    Raises:
        InputError: settings, method or artifacts can't be used; an evaluation judged another split,
            question set or adapter, or was made under other settings; what is called best so far is not what
            the history calls so.
    """
    options = RoundsSettings.parse(settings)
    on = is_on("rounds", method)
    judged = open_input(evaluation.path, "evaluation/1", artifact_store)
    zero = open_input(base.path, "evaluation/1", artifact_store)
    policy = open_artifact(adapter.path, "adapter/1")  # weights that lie in a store stay there
    practised = open_input(labeled.path, "labeled_traces/1", artifact_store)
    check_policies(judged, zero, policy)
    check_same_conditions(("base", "evaluation"), zero.manifest, judged.manifest)
    past = _past(earlier, judged, zero, options, artifact_store)
    last = past.records[-1]
    sampler = past.records[last.next_begins_with]
    base_model = str(judged.manifest.details.get("base_model", ""))
    found = Round(
        title=title or f"{noun} {last.number + 1}",
        adapter=policy.digest,
        evaluation=judged.digest,
        labeled=practised.digest,
        method=method,
        items=in_order_of(read_items(judged, last.number + 1, "evaluation"), past.items[0], "evaluation"),
        practice=read_practice(practised, base_model, sampler.adapter),
        noun=noun,
    )
    record = (
        judge(found, past.records, past.items, options)
        if on and policy.digest != sampler.adapter
        else hand_on_record(found, past.records, options)
    )
    following = NONE if record.ended else method
    whole = past.with_round(record, found.items)
    kept = {"adapter/1": adapter, "labeled_traces/1": labeled, "evaluation/1": evaluation}
    if record.best_adapter_round != record.number:
        so_far = (best_so_far, best_labeled_so_far, best_evaluation_so_far)
        kept = dict(zip(kept, so_far, strict=True))
        check_best(whole.records[record.best_adapter_round], *so_far)
    page = render_report(whole.records, options, noun)
    with write_output(history.path, "rounds/1", artifact_store) as writer:
        write_history(writer.folder, whole, noun, page)
        writer.counts.update(rounds=record.number, questions=len(found.items))
        writer.lineage.update(
            question_set=judged.manifest.lineage.get("question_set", ""),
            base=zero.digest,
            evaluation=judged.digest,
            adapter=policy.digest,
            labeled=practised.digest,
        )
        writer.details["settings"] = options.model_dump(mode="json")
    for (schema, artifact), output in zip(kept.items(), (best, best_labeled, best_evaluation), strict=True):
        hand_on(artifact.path, output.path, schema)
    following_adapter = kept["adapter/1"] if record.ended else adapter
    hand_on(following_adapter.path, next_adapter.path, "adapter/1")
    write_page(report.path, page)
    for name, value in scalar_metrics(whole.records).items():
        metrics.log_metric(name, value)
    print_record(whole.records, few_questions_note(whole.records, options.confidence))
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


def check_best(record: RoundRecord, adapter: Any, labeled: Any, evaluation: Any) -> None:
    """Refuse KFP artifacts that are not those of the best round. record: its, by the history.

    Raises:
        InputError: absent, or another one; says which.
    """
    for name, artifact, schema, digest in (
        ("best_so_far", adapter, "adapter/1", record.adapter),
        ("best_labeled_so_far", labeled, "labeled_traces/1", record.labeled),
        ("best_evaluation_so_far", evaluation, "evaluation/1", record.evaluation),
    ):
        what = schema.partition("/")[0].replace("_", " ")
        wanted = f"expected {what} {digest[:12]} of {record.title}"
        if artifact is None:
            raise InputError(f"{name}: absent, {wanted}")
        found = open_artifact(artifact.path, schema).digest
        if found != digest:
            raise InputError(f"{name}: {what} {found[:12]}, {wanted}, which the history calls for")


def print_record(records: Sequence[RoundRecord], note: str) -> None:
    """The verdict and the alarms of the last of them, and the note, for the log."""
    record = records[-1]
    print(f"[rounds] {record.title}: {record.verdict}", flush=True)
    for alarm in record.alarms:
        severe = "severe alarm" if alarm.severe else "alarm"
        about = called(records, alarm.round)
        print(f"[rounds] {severe} {alarm.name} of {about}: {alarm.sentence}", flush=True)
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
    title = str(base.manifest.details.get("title") or "")
    return History([base_record(title, base.digest, items, options)], {0: items})
