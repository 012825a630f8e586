"""Ingest: users' files or URIs to a question set `questions/1` and trajectories `traces/1`, split once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from components.contracts.jsonl import write_records
from components.contracts.pages import write_page
from components.contracts.records import Question, Trace
from components.ingest.collect import Collection, Collector
from components.ingest.convert import ROLES, Located
from components.ingest.demo_calls_traces import is_faulty
from components.ingest.empty_sides import refuse_empty
from components.ingest.quarantine import Quarantine
from components.ingest.report import OVERLAPS, SIDES, render_report
from components.ingest.settings import IngestSettings
from components.ingest.sources import DEMO_CALLS
from components.ingest.split import at_most, shuffled
from components.ingest.suite_report import suite_counts, suite_notes, suite_rows
from components.ingest.suites import read_suites, suite_questions
from components.scoring.contamination import contaminated_rows
from components.storage import write_output

QUESTIONS = "questions/1"
TRACES = "traces/1"
LOGGED = (
    *("read", "kept", "quarantined", *SIDES, "duplicates", "contaminated"),
    *(f"{side}_{role}" for side in SIDES for role in ("golds", "trajectories")),
)


def run(
    questions: str,
    settings: str,
    artifact_store: str,
    question_set: Any,
    trajectories: Any,
    metrics: Any,
    report: Any,
    validation: bool = False,
) -> list[int]:
    """Read, convert, split and check the rows; returns the numbers of the shards.

    question_set, trajectories, metrics, report: KFP artifacts. validation: set `validation_share` of the
    training subjects aside as validation.jsonl, which is empty otherwise; held-out questions do not change.

    Every row read is on the training side (as a question, a trace or both), a question for search, a held-out or
    validation question, over a limit, or in quarantine.jsonl; `counts` of the manifests says how many of each. The same rows in
    another order give the same split. Suites' questions are in suites.jsonl, which is empty when none are named, and
    what `suite_limit` leaves of them in suites_left_out.jsonl, which training artifacts are compared with too; with suites, `questions` may be empty, and so is every side then.

    Raises:
        InputError: a source or setting can't be used, a bad row with on_bad_row "fail", every row
            was set aside, one side of the split is empty, or a suite's data can't be had.
    """
    wanted = IngestSettings.parse(settings)
    with (
        TemporaryDirectory() as scratch,
        write_output(Path(trajectories.path), TRACES, artifact_store) as traces,
        write_output(Path(question_set.path), QUESTIONS, artifact_store) as writer,
    ):
        quarantine = Quarantine(writer.folder / "quarantine.jsonl", fail=wanted.on_bad_row == "fail")
        of_suites = Quarantine(writer.folder / "quarantine.jsonl", fail=wanted.on_bad_row == "fail")
        suites = read_suites(wanted, of_suites, Path(scratch))
        judged = list(suite_questions(suites))
        collector = Collector(wanted, quarantine, Path(scratch), validation=validation, suites=judged)
        if suites and not (questions.strip() or wanted.held_out.strip()):
            collection = collector.collection
        else:
            collection = collector.collect(questions)
            refuse_empty(collection, quarantine, wanted, validation=validation)
        train = _choose(collection.train, wanted.max_train, wanted.seed)
        asides = {
            "search": _choose(collection.search, _part(wanted.max_train, wanted.search_share), wanted.seed),
            "validation": _choose(collection.validation, wanted.max_held_out, wanted.seed),
            "held_out": _choose(collection.held_out, wanted.max_held_out, wanted.seed),
        }
        sides = {"train": train, **asides}
        asked = _asked(train)
        write_records(writer.folder / "train.jsonl", asked)
        hits = collector.contamination.hits
        write_records(writer.folder / "contamination.jsonl", hits)
        writer.details["contamination_words"] = wanted.contamination_words
        for side, chosen in asides.items():
            write_records(writer.folder / f"{side}.jsonl", (one.question for one in chosen))
        write_records(writer.folder / "suites.jsonl", (one for suite in suites for one in suite.chosen))
        left_out = (one for suite in suites for one in suite.left_out())
        write_records(writer.folder / "suites_left_out.jsonl", left_out)
        traces.counts["traces"] = write_records(traces.folder / "traces.jsonl", _traces(train))
        sampled = sum(not one.golds for one in asked)
        shards = min(wanted.shards, max(sampled, 1))
        counts = _counts(collection, quarantine.count, sides)
        counts |= {f"{OVERLAPS}{suite}": rows for suite, rows in contaminated_rows(hits).items()}
        counts |= {"asked": len(asked), "sampled": sampled, "shards": shards} | suite_counts(suites)
        writer.counts.update(counts)
        traces.counts.update({f"train_{role}": counts[f"train_{role}"] for role in ROLES[1:]})
        traces.counts.update(_faulty(train))
        for written in (writer, traces):
            written.lineage.update(collection.lineage)
        for suite in suites:
            writer.lineage.update(suite.lineage)
        shown = {side: [one.question for one in chosen] for side, chosen in sides.items()}
        reasons = quarantine.reasons + of_suites.reasons
        notes = [*_notes(collection, wanted), *suite_notes(suites)]
        text = render_report(collection.sources, counts, reasons, notes, shown, suite_rows(suites))
        write_page(report.path, text)
    for name in (*LOGGED, *(name for name in counts if name.startswith((OVERLAPS, "suites")))):
        metrics.log_metric(name.replace("/", "_"), counts[name])
    aside = "{search} for search, " * bool(counts["search"]) + "{validation} validation, " * validation
    done = (
        f"{{train}} training, {aside}{{held_out}} held out, {{quarantined}} set aside"
        + ", {suites} of suites" * bool(suites)
    )
    print(f"[ingest] {done.format_map(counts)}", flush=True)
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


def _part(limit: int | None, share: float) -> int | None:
    """What the share of a limit is: at least one."""
    return None if limit is None else max(1, round(limit * share))


def _choose(located: Sequence[Located], limit: int | None, seed: int) -> list[Located]:
    ordered = shuffled(located, seed=seed, text_of=lambda one: (one.question.text, one.text))
    return at_most(ordered, limit, kind_of=lambda one: one.question.kind)


def _counts(
    collection: Collection, quarantined: int, sides: Mapping[str, Sequence[Located]]
) -> dict[str, int]:
    read = collection.counts["read"]
    over_limit = read - quarantined - sum(map(len, sides.values()))
    counts = {"read": read, "kept": read - quarantined, "quarantined": quarantined}
    counts |= {side: len(chosen) for side, chosen in sides.items()} | {"over_limit": over_limit}
    counts |= {name: collection.counts[name] for name in ("duplicates", "contaminated", "renamed_ids")}
    for side, chosen in sides.items():
        roles = Counter(one.role for one in chosen)
        counts |= {f"{side}_{role}": roles[role] for role in ROLES}
        kinds = Counter(one.question.kind for one in chosen)
        counts |= {f"{side}/{kind}": number for kind, number in kinds.items()}
    return counts


def _notes(collection: Collection, settings: IngestSettings) -> list[str]:
    notes = [f"{number} rows: {note}." for note, number in sorted(collection.notes.items())]
    long_tail = sorted({one.format.name for one in collection.train if one.format.long_tail})
    if long_tail:
        notes.append(
            f"{', '.join(long_tail)} are split by subject (seed {settings.seed}) and trained on; this "
            "departs from the self-training paper, which only evaluates on them (train_on_long_tail: every "
            "preset says 'never')."
        )
    if settings.search_share and not collection.search:
        notes.append("No training row with gold calls was set aside for search, which search_share asks for.")
    if collection.counts["renamed_ids"]:
        notes.append(f"{collection.counts['renamed_ids']} ids occurred twice and were made unique.")
    return notes
