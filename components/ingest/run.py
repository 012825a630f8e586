"""Ingest: users' files or URIs to a question set `questions/1` and trajectories `traces/1`, split once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from components.contracts.errors import InputError
from components.contracts.jsonl import write_records
from components.contracts.pages import write_page
from components.contracts.records import Question, Trace
from components.ingest.collect import Collection, Collector
from components.ingest.convert import ROLES, Located
from components.ingest.demo_calls_traces import is_faulty
from components.ingest.quarantine import Quarantine
from components.ingest.report import render_report
from components.ingest.settings import IngestSettings
from components.ingest.sources import DEMO_CALLS
from components.ingest.split import at_most, shuffled
from components.storage import write_output

QUESTIONS = "questions/1"
TRACES = "traces/1"
LOGGED = (
    *("read", "kept", "quarantined", "train", "held_out", "duplicates", "contaminated"),
    *(f"{side}_{role}" for side in ("train", "held_out") for role in ("golds", "trajectories")),
)


def run(
    questions: str,
    settings: str,
    artifact_store: str,
    question_set: Any,
    trajectories: Any,
    metrics: Any,
    report: Any,
) -> list[int]:
    """Read, convert, split and check the rows; returns the numbers of the shards.

    question_set, trajectories, metrics, report: KFP artifacts.

    Every row read is on the training side (as a question, a trace or both), a held-out question, over a
    limit, or in quarantine.jsonl; `counts` of the manifests says how many of each. The same rows in
    another order give the same split.

    Raises:
        InputError: a source or setting can't be used, a bad row with on_bad_row "fail", every row
            was set aside, or one side of the split is empty.
    """
    wanted = IngestSettings.parse(settings)
    with (
        TemporaryDirectory() as scratch,
        write_output(Path(trajectories.path), TRACES, artifact_store) as traces,
        write_output(Path(question_set.path), QUESTIONS, artifact_store) as writer,
    ):
        quarantine = Quarantine(writer.folder / "quarantine.jsonl", fail=wanted.on_bad_row == "fail")
        collection = Collector(wanted, quarantine, Path(scratch)).collect(questions)
        _refuse_empty(collection, quarantine, wanted)
        train = _choose(collection.train, wanted.max_train, wanted.seed)
        held_out = _choose(collection.held_out, wanted.max_held_out, wanted.seed)
        asked = _asked(train)
        write_records(writer.folder / "train.jsonl", asked)
        write_records(writer.folder / "held_out.jsonl", (one.question for one in held_out))
        traces.counts["traces"] = write_records(traces.folder / "traces.jsonl", _traces(train))
        sampled = sum(not one.golds for one in asked)
        shards = min(wanted.shards, max(sampled, 1))
        counts = _counts(collection, quarantine.count, train, held_out)
        counts |= {"asked": len(asked), "sampled": sampled, "shards": shards}
        writer.counts.update(counts)
        traces.counts.update({f"train_{role}": counts[f"train_{role}"] for role in ROLES[1:]})
        traces.counts.update(_faulty(train))
        for written in (writer, traces):
            written.lineage.update(collection.lineage)
        shown = [[one.question for one in side] for side in (train, held_out)]
        text = render_report(
            collection.sources, counts, quarantine.reasons, _notes(collection, wanted), *shown
        )
        write_page(report.path, text)
    for name in LOGGED:
        metrics.log_metric(name, counts[name])
    done = "{train} training, {held_out} held out, {quarantined} set aside".format_map(counts)
    print(f"[ingest] {done}", flush=True)
    return list(range(shards))


def _asked(train: Sequence[Located]) -> list[Question]:
    """Training questions: those to sample, and those with golds, which only search samples."""
    return [one.question for one in train if one.trace is None or one.question.golds]


def _traces(train: Sequence[Located]) -> Iterator[Trace]:
    return (one.trace for one in train if one.trace is not None)


def _faulty(train: Sequence[Located]) -> dict[str, int]:
    """How many trajectories of `demo://calls` have a wrong call; of others that is not known here."""
    made = [one.trace for one in train if one.trace is not None and one.trace.model == DEMO_CALLS]
    return {"faulty": sum(map(is_faulty, made))} if made else {}


def _choose(located: Sequence[Located], limit: int | None, seed: int) -> list[Located]:
    ordered = shuffled(located, seed=seed, text_of=lambda one: (one.question.text, one.text))
    return at_most(ordered, limit, kind_of=lambda one: one.question.kind)


def _counts(
    collection: Collection, quarantined: int, train: Sequence[Located], held_out: Sequence[Located]
) -> dict[str, int]:
    read = collection.counts["read"]
    over_limit = read - quarantined - len(train) - len(held_out)
    counts = {"read": read, "kept": read - quarantined, "quarantined": quarantined}
    counts |= {"train": len(train), "held_out": len(held_out), "over_limit": over_limit}
    counts |= {name: collection.counts[name] for name in ("duplicates", "contaminated", "renamed_ids")}
    for side, chosen in (("train", train), ("held_out", held_out)):
        roles = Counter(one.role for one in chosen)
        counts |= {f"{side}_{role}": roles[role] for role in ROLES}
        kinds = Counter(one.question.kind for one in chosen)
        counts |= {f"{side}/{kind}": number for kind, number in kinds.items()}
    return counts


def _refuse_empty(collection: Collection, quarantine: Quarantine, settings: IngestSettings) -> None:
    if not collection.train and not collection.held_out:
        if quarantine.first is None:
            raise InputError("questions: no rows in " + ", ".join(one.name for one in collection.sources))
        raise InputError(
            f"{quarantine.first.message()} (all {quarantine.count} rows were set aside; this is the first)"
        )
    if not collection.train:
        if settings.train_on_long_tail == "never" and any(
            one.format.long_tail for one in collection.held_out
        ):
            raise InputError(
                "questions: nothing to train on: this preset, as the paper, only evaluates on PopQA and NQ; "
                "add a source for training (such as GSM8K), or set ingest.train_on_long_tail=alone"
            )
        if collection.counts["contaminated"]:
            raise InputError(
                "questions: nothing to train on: every training question overlaps a held-out one; change the "
                "sources or lower the bar with ingest_settings.contamination_words"
            )
        if settings.held_out_share < 1:
            raise InputError(
                f"questions: no training row came out; add rows or lower held_out_share{_aside(quarantine)}"
            )
    elif not collection.held_out and (settings.held_out_share > 0 or settings.held_out):
        raise InputError(
            f"questions: none of {len(collection.train)} questions was held out; add rows, raise "
            f"ingest_settings.held_out_share, or name files in ingest_settings.held_out{_aside(quarantine)}"
        )


def _notes(collection: Collection, settings: IngestSettings) -> list[str]:
    notes = [f"{number} rows: {note}." for note, number in sorted(collection.notes.items())]
    long_tail = sorted({one.format.name for one in collection.train if one.format.long_tail})
    if long_tail:
        notes.append(
            f"{', '.join(long_tail)} are split by subject (seed {settings.seed}) and trained on; this "
            "departs from the self-training paper, which only evaluates on them (train_on_long_tail: every "
            "preset says 'never')."
        )
    if collection.counts["renamed_ids"]:
        notes.append(f"{collection.counts['renamed_ids']} ids occurred twice and were made unique.")
    return notes


def _aside(quarantine: Quarantine) -> str:
    """What to know about the rows that could have been on the empty side."""
    if quarantine.first is None:
        return ""
    return f" ({quarantine.count} rows were set aside, the first: {quarantine.first.message()})"
