"""Published benchmarks' rows as questions to judge by: `suites.jsonl` of the question set."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path

from components.contracts.errors import InputError
from components.contracts.jsonl import BadLine
from components.contracts.progress import Progress
from components.contracts.records import Question
from components.ingest.bfcl_suites import bfcl_conversation, bfcl_exchange
from components.ingest.companions import Companions
from components.ingest.containers import read_rows
from components.ingest.convert import row_text, to_question
from components.ingest.exchanges import judged_question
from components.ingest.formats import named_format
from components.ingest.formats.base import RawRow
from components.ingest.quarantine import Quarantine
from components.ingest.rows import Draft, Exchange, Row, RowError
from components.ingest.settings import IngestSettings
from components.ingest.sources import Source
from components.ingest.split import unit_hash
from components.ingest.suite_files import files_of, format_name, place_of
from components.ingest.suite_names import BFCL_MULTI_TURN, family_of, group_of

RETRIEVER = "ToolSearcher"  # API-Bank's: level 2 looks for a tool with it, then calls what it found
_NUMBER = re.compile(r"(\d+)")


@dataclass
class Suite:
    """One suite as read: `questions` are all that can be judged, `chosen` those that are.

    read == len(questions) + set_aside. lineage: sha256 by file. notes: how many rows by what conversion says of them.
    """

    name: str
    read: int = 0
    set_aside: int = 0
    questions: list[Question] = field(default_factory=list)
    chosen: list[Question] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    lineage: dict[str, str] = field(default_factory=dict)

    @property
    def over_limit(self) -> int:
        """How many questions the limit leaves out."""
        return len(self.questions) - len(self.chosen)

    def left_out(self) -> Iterator[Question]:
        """The questions that the limit leaves out, without their tools: nobody asks them."""
        chosen = {one.id for one in self.chosen}
        return (one.model_copy(update={"offered": ""}) for one in self.questions if one.id not in chosen)


def read_suites(settings: IngestSettings, quarantine: Quarantine, scratch: Path) -> list[Suite]:
    """The suites that the settings name, in that order. What can't be used goes to `quarantine`.

    Ids begin with the suite's name. Which questions a limit keeps depends on the seed and the ids alone, and their
    order on the ids.

    Raises:
        InputError: a suite's data is not there, can't be read, or has no row that can be judged.
    """
    places = {
        family: place_of(family, settings.suite_data, scratch)
        for family in dict.fromkeys(map(family_of, settings.suites))
    }
    progress = Progress("ingest suites", len(settings.suites)) if settings.suites else None
    found = []
    for name in settings.suites:
        suite = _read(name, places[family_of(name)], settings, quarantine)
        ranked = sorted(suite.questions, key=lambda one: unit_hash(settings.suite_seed, one.id))
        suite.chosen = sorted(ranked[: settings.suite_limit], key=_place)
        found.append(suite)
        if progress:
            progress.advance(1, questions=sum(len(one.chosen) for one in found))
    return found


def suite_questions(suites: Sequence[Suite]) -> Iterator[Question]:
    """Every question of the suites, also those that a limit leaves out: what must not be trained on."""
    return (question for suite in suites for question in suite.questions)


def _read(name: str, place: Path, settings: IngestSettings, quarantine: Quarantine) -> Suite:
    suite, before = Suite(name), quarantine.count
    drafts: list[Question] = []
    first = ""
    for source in files_of(name, place):
        beside = Companions(source.path)
        for made in _questions(name, source, beside, settings.call_format, quarantine):
            if isinstance(made, BadLine):
                first = first or made.message()
            else:
                drafts.append(made[0])
                suite.notes.update([made[1]] if made[1] else [])
        for path in (source.path, *beside.used):
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            suite.lineage[f"suite-{name}-{path.parent.name}-{path.name}"] = digest
    suite.set_aside = quarantine.count - before
    suite.read = len(drafts) + suite.set_aside
    if not drafts:
        raise InputError(
            f"ingest_settings.suites: {name}: none of {suite.read} rows can be judged"
            + (f", the first: {first}" if first else "")
        )
    suite.questions = _numbered(drafts)
    return suite


def _questions(
    name: str, source: Source, beside: Companions, call_format: str, quarantine: Quarantine
) -> Iterator[tuple[Question, str] | BadLine]:
    """Each row's question with what the report counts about it, or why it was set aside."""
    known = named_format(format_name(name))
    for row in read_rows(source.path, source.name):
        if isinstance(row, BadLine):
            quarantine.add(row)
            yield row
            continue
        for part in known.parts(row.value):
            try:
                question, note = _question(name, beside.complete(part), source.path, call_format)
                yield (
                    question.model_copy(update={"suite": name, "id": f"{name}/{question.id}"}),
                    note,
                )
            except RowError as error:
                text = row_text(Row(row.source, row.line, part))
                bad = BadLine(row.source, row.line, error.field, error.reason, text)
                quarantine.add(bad, fault=False)  # nobody can mend what is published
                yield bad


def _question(name: str, row: RawRow, path: Path, call_format: str) -> tuple[Question, str]:
    family, group = family_of(name), group_of(name)
    kind = name.replace(":", "_")
    if group in BFCL_MULTI_TURN:
        return bfcl_conversation(row, path.parent.parent), ""
    known = named_format(format_name(name))
    found: Draft | Exchange = bfcl_exchange(row, group) if family == "bfcl" else known.convert(row)
    if isinstance(found, Draft):
        return to_question(found, known, kind), found.note
    question, note = judged_question(found, kind, call_format)
    if family == "bfcl":
        return question, ""  # judged by its reference, not by the one gold
    if name == "api_bank:2":
        retrieves = all(call.name == RETRIEVER for calls in question.golds for call in calls)
        question = question.model_copy(update={"kind": f"{kind}_{'retrieve' if retrieves else 'call'}"})
    return question, note


def _numbered(questions: Sequence[Question]) -> list[Question]:
    """The same with unique ids: of equal ones the second ends in -2, and so on, whatever order they came in."""
    found, seen = [], Counter[str]()
    for question in sorted(questions, key=lambda one: (one.id, one.model_dump_json())):
        seen[question.id] += 1
        number = seen[question.id]
        found.append(
            question if number == 1 else question.model_copy(update={"id": f"{question.id}-{number}"})
        )
    return found


def _place(question: Question) -> list[tuple[int, str]]:
    """Where an id comes in a list that people read: its numbers by size."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in _NUMBER.split(question.id)]
