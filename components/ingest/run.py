"""Ingest: users' files or URIs to a question set `questions/1` with a fixed split."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from components.contracts.errors import InputError
from components.contracts.jsonl import write_records
from components.contracts.pages import write_page
from components.contracts.records import Question
from components.ingest.collect import Collection, Collector
from components.ingest.convert import Located
from components.ingest.quarantine import Quarantine
from components.ingest.report import render_report
from components.ingest.settings import IngestSettings
from components.ingest.split import at_most, shuffled
from components.storage import write_output

SCHEMA = "questions/1"


def run(
    questions: str, settings: str, artifact_store: str, question_set: Any, metrics: Any, report: Any
) -> list[int]:
    """Read, convert, split and check the questions; returns the numbers of the shards.

    question_set, metrics, report: KFP artifacts.

    Every row read is a training question, a held-out question, over a limit, or in
    quarantine.jsonl; `counts` of the manifest says how many of each. The same rows in another
    order give the same split.

    Raises:
        InputError: a source or setting can't be used, a bad row with on_bad_row "fail", every row
            was set aside, or one side of the split is empty.
    """
    wanted = IngestSettings.parse(settings)
    with (
        TemporaryDirectory() as scratch,
        write_output(Path(question_set.path), SCHEMA, artifact_store) as writer,
    ):
        quarantine = Quarantine(writer.folder / "quarantine.jsonl", fail=wanted.on_bad_row == "fail")
        collection = Collector(wanted, quarantine, Path(scratch)).collect(questions)
        _refuse_empty(collection, quarantine, wanted)
        train = _choose(collection.train, wanted.max_train, wanted.seed)
        held_out = _choose(collection.held_out, wanted.max_held_out, wanted.seed)
        write_records(writer.folder / "train.jsonl", train)
        write_records(writer.folder / "held_out.jsonl", held_out)
        shards = min(wanted.shards, max(len(train), 1))
        counts = _counts(collection, quarantine.count, train, held_out) | {"shards": shards}
        writer.counts.update(counts)
        writer.lineage.update(collection.lineage)
        notes = _notes(collection, wanted)
        text = render_report(collection.sources, counts, quarantine.reasons, notes, train, held_out)
        write_page(report.path, text)
    for name in ("read", "kept", "quarantined", "train", "held_out", "duplicates", "contaminated"):
        metrics.log_metric(name, counts[name])
    done = "{train} training, {held_out} held out, {quarantined} set aside".format_map(counts)
    print(f"[ingest] {done}", flush=True)
    return list(range(shards))


def _choose(located: Sequence[Located], limit: int | None, seed: int) -> list[Question]:
    return at_most(shuffled((one.question for one in located), seed=seed), limit)


def _counts(
    collection: Collection, quarantined: int, train: Sequence[Question], held_out: Sequence[Question]
) -> dict[str, int]:
    read = collection.counts["read"]
    over_limit = read - quarantined - len(train) - len(held_out)
    counts = {"read": read, "kept": read - quarantined, "quarantined": quarantined}
    counts |= {"train": len(train), "held_out": len(held_out), "over_limit": over_limit}
    counts |= {name: collection.counts[name] for name in ("duplicates", "contaminated", "renamed_ids")}
    for side, chosen in (("train", train), ("held_out", held_out)):
        counts |= {f"{side}/{kind}": number for kind, number in Counter(one.kind for one in chosen).items()}
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
            raise InputError("questions: no training question came out; add rows or lower held_out_share")
    elif not collection.held_out and (settings.held_out_share > 0 or settings.held_out):
        raise InputError(
            f"questions: none of {len(collection.train)} questions was held out; add rows, raise "
            "ingest_settings.held_out_share, or name files in ingest_settings.held_out"
        )


def _notes(collection: Collection, settings: IngestSettings) -> list[str]:
    notes = [f"{number} questions: {note}." for note, number in sorted(collection.notes.items())]
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
