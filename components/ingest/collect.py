"""All sources to the sides of the split (training, search, validation, held out), each example once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import TypeVar

from components.contracts.errors import InputError
from components.contracts.jsonl import BadLine
from components.contracts.progress import Progress
from components.contracts.records import Question, Trace
from components.ingest.companions import Companions
from components.ingest.contamination import HELD_OUT, VALIDATION, Contamination
from components.ingest.convert import Located, Role, read_questions, short_hash
from components.ingest.formats.base import Format
from components.ingest.formats.plain import FORMAT as PLAIN
from components.ingest.quarantine import Quarantine
from components.ingest.settings import IngestSettings
from components.ingest.sources import DEMO, DEMO_CALLS, open_sources, split_uris
from components.ingest.split import is_for_search, is_held_out, is_validation, normal_text, subject_key

Value = TypeVar("Value", bound=str)
SUITES = "suites"


@dataclass
class SourceCount:
    """What one source gave: `read` rows, of which `kept` became examples."""

    name: str
    format: str
    read: int
    kept: int


@dataclass
class Collection:
    """The examples of a run, before limits are applied."""

    train: list[Located] = field(default_factory=list)
    search: list[Located] = field(default_factory=list)
    validation: list[Located] = field(default_factory=list)
    held_out: list[Located] = field(default_factory=list)
    sources: list[SourceCount] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    lineage: dict[str, str] = field(default_factory=dict)


class Collector:
    """Reads sources one after the other into a Collection.

    Held-out sources come first, so that of two equal questions the held-out one stays.
    """

    def __init__(
        self,
        settings: IngestSettings,
        quarantine: Quarantine,
        scratch: Path,
        *,
        validation: bool = False,
        suites: Sequence[Question] = (),
    ) -> None:
        """suites: the benchmarks' questions, which nothing that is trained on may hold."""
        self.collection = Collection()
        self.contamination = Contamination(settings)
        self._suites = suites
        self._settings = settings
        self._quarantine = quarantine
        self._scratch = scratch
        self._wants_validation = validation
        self._long_tail: list[Located] = []
        self._texts: dict[str, str] = {}
        self._ids: set[str] = set()
        self._rows = 0
        self._progress = Progress("ingest", 1)
        self._unused = {("formats", pattern) for pattern in settings.formats}
        self._unused |= {("kinds", pattern) for pattern in settings.kinds}

    def collect(self, questions: str) -> Collection:
        """Read the sources, drop duplicates and contaminated training questions.

        Raises:
            InputError: see `sources` and `convert`; a pattern of the settings that no file has.
        """
        given = self._settings.held_out
        held_out = split_uris(given, "ingest_settings.held_out") if given.strip() else []
        training = split_uris(questions, "questions")
        # a step for each source, one for the split; the rows of a source are not known beforehand
        self._progress = Progress("ingest", len(held_out) + len(training) + 1)
        for uri in held_out:
            self._read_uri(uri, "ingest_settings.held_out", held_out=True)
            self._advance(1)
        for uri in training:
            if uri == DEMO:
                self._read_demo()
            elif uri == DEMO_CALLS:
                self._read_demo_calls()
            else:
                self._read_uri(uri, "questions", held_out=False)
            self._advance(1)
        for name, pattern in sorted(self._unused):
            raise InputError(f"ingest_settings.{name}: no file of questions is called {pattern!r}")
        self._place_long_tail()
        self._drop_contaminated({HELD_OUT: _questions(self.collection.held_out), SUITES: self._suites})
        if self._wants_validation:
            self._set_validation_aside()
            self._drop_contaminated({VALIDATION: _questions(self.collection.validation)})
        self._set_search_aside()
        self._advance(1)
        return self.collection

    def _read_uri(self, uri: str, parameter: str, *, held_out: bool) -> None:
        place = self._scratch / str(len(self.collection.sources))
        for source in open_sources(uri, place, parameter):
            name = PurePosixPath(source.name).name
            known = self._match("formats", self._settings.formats, name)
            kind = self._match("kinds", self._settings.kinds, name) or ""
            beside = Companions(source.path)
            found = read_questions(
                source,
                known,
                kind,
                self._quarantine,
                call_format=self._settings.call_format,
                companions=beside,
            )
            self._add(source.name, found, held_out=True if held_out else None)
            for path in (source.path, *beside.used):
                self._note_lineage(path, name if path == source.path else path.name)

    def _note_lineage(self, path: Path, name: str) -> None:
        with open(path, "rb") as file:
            number = len(self.collection.lineage)
            self.collection.lineage[f"source-{number}-{name}"] = file_digest(file, "sha256").hexdigest()

    def _read_demo_calls(self) -> None:
        from components.ingest.demo_calls import demo_calls

        traces, train, held_out = demo_calls(self._settings.seed, self._settings.call_format)
        by_id = {trace.question.id: trace for trace in traces}
        self._add(DEMO_CALLS, _located(held_out, f"{DEMO_CALLS}/held_out"), held_out=True)
        paired = _located(train, f"{DEMO_CALLS}/train", by_id)
        self._add(DEMO_CALLS, paired, held_out=False)

    def _read_demo(self) -> None:
        from components.ingest.demo_questions import demo_questions

        train, held_out = demo_questions(self._settings.seed)
        self._add(DEMO, _located(held_out, "demo://held_out"), held_out=True)
        self._add(DEMO, _located(train, "demo://train"), held_out=False)

    def _add(self, name: str, found: Iterable[Located], *, held_out: bool | None) -> None:
        before, kept, formats = self._quarantine.count, 0, set()
        for located in found:
            formats.add(located.format.name)
            self._rows += 1
            self._advance(0)
            unique = self._unique(located)
            if unique is None:
                continue
            if held_out is None and unique.format.long_tail and self._settings.train_on_long_tail != "always":
                self._long_tail.append(unique)
            elif not self._place(unique, self._is_held_out(unique) if held_out is None else held_out):
                continue
            kept += 1
            if located.note:
                self.collection.notes[located.note] += 1
        read = kept + self._quarantine.count - before
        self.collection.counts["read"] += read
        self.collection.sources.append(SourceCount(name, ", ".join(sorted(formats)) or "unknown", read, kept))

    def _unique(self, located: Located) -> Located | None:
        question = located.question
        # the same request with other tools or after another dialogue is another example
        key = f"{normal_text(question.text)}\n{located.text}".rstrip()
        here = f"{located.source}:{located.line}"
        if key in self._texts:
            self.collection.counts["duplicates"] += 1
            reason = f"duplicate question (first at {self._texts[key]})"
            bad = BadLine(located.source, located.line, "question", reason, question.text)
            self._quarantine.add(bad, fault=False)
            return None
        self._texts[key] = here
        if question.id in self._ids:
            self.collection.counts["renamed_ids"] += 1
            located = located.renamed(f"{question.id}-{short_hash(located.text or question.text)}")
        self._ids.add(located.question.id)
        return located

    def _advance(self, steps: int) -> None:
        self._progress.advance(steps, questions=self._rows)

    def _place(self, located: Located, held_out: bool) -> bool:
        """Put an example on its side; False when it can't be judged and went to the quarantine."""
        if not held_out:
            self.collection.train.append(located)
            return True
        return self._judge(located, self.collection.held_out)

    def _judge(self, located: Located, side: list[Located]) -> bool:
        """Put an example on a side that is judged; False when it can't be and went to the quarantine."""
        if located.refused:
            bad = BadLine(located.source, located.line, "golds", located.refused, located.question.text)
            self._quarantine.add(bad)
            return False
        side.append(located.judged())
        return True

    def _set_validation_aside(self) -> None:
        """Move the validation subjects out of training; what can't be judged is trained on neither."""
        train, self.collection.train = self.collection.train, []
        for located in train:
            if is_validation(
                located.question, seed=self._settings.seed, share=self._settings.validation_share
            ):
                self._judge(located, self.collection.validation)
            else:
                self.collection.train.append(located)

    def _set_search_aside(self) -> None:
        """Move subjects with golds out of training; what has none of such a subject is trained on neither."""
        seed, share = self._settings.seed, self._settings.search_share
        subjects = {
            subject_key(one.question)
            for one in self.collection.train
            if one.judged().question.golds and is_for_search(one.question, seed=seed, share=share)
        }
        train, self.collection.train = self.collection.train, []
        for located in train:
            if subject_key(located.question) not in subjects:
                self.collection.train.append(located)
            elif located.judged().question.golds:
                self.collection.search.append(located.judged())
            else:
                reason = "no gold call, and others of its subject are set aside for search"
                bad = BadLine(located.source, located.line, "golds", reason, located.question.text)
                self._quarantine.add(bad, fault=False)

    def _place_long_tail(self) -> None:
        whole = self._settings.train_on_long_tail == "never" or bool(self.collection.train)
        for located in self._long_tail:
            self._place(located, whole or self._is_held_out(located))

    def _is_held_out(self, located: Located) -> bool:
        if self._settings.held_out.strip():
            return False
        return is_held_out(located.question, seed=self._settings.seed, share=self._settings.held_out_share)

    def _match(self, setting: str, patterns: Mapping[str, Value], file: str) -> Value | None:
        for pattern, value in patterns.items():
            if fnmatch(file, pattern):
                self._unused.discard((setting, pattern))
                return value
        return None

    def _drop_contaminated(self, judged: Mapping[str, Sequence[Question]]) -> None:
        """Drop training examples that overlap the judged questions, unless overlaps are only to be listed."""
        clean = []
        for located, reason in self.contamination.reasons(self.collection.train, judged):
            if not reason:
                clean.append(located)
                continue
            self.collection.counts["contaminated"] += 1
            bad = BadLine(located.source, located.line, "question", reason, located.question.text)
            self._quarantine.add(bad, fault=False)
        self.collection.train = clean


def _questions(judged: Iterable[Located]) -> list[Question]:
    return [one.question for one in judged]


def _located(
    questions: Iterable[Question], source: str, traces: Mapping[str, Trace] | None = None
) -> Iterator[Located]:
    own = Format("demo", "question", PLAIN.matches, PLAIN.convert)
    for number, question in enumerate(questions, 1):
        trace = (traces or {}).get(question.id)
        role: Role = "trajectories" if trace else "golds" if question.golds else "questions"
        yield Located(question, source, number, own, trace=trace, text=question.offered, role=role)
