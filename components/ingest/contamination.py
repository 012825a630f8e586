"""Training rows that hold what is judged by: held-out and validation questions, and the suites' items."""

from collections.abc import Iterator, Mapping, Sequence

from components.contracts.contamination import ContaminationHit
from components.contracts.records import Question
from components.ingest.convert import Located
from components.ingest.settings import IngestSettings
from components.ingest.split import subject_key
from components.scoring.contamination import Benchmarks, refusal
from components.scoring.training_text import TrainingText, question_text, trace_text

HELD_OUT, VALIDATION = "held_out", "validation"
_NAMES = {HELD_OUT: "a held-out question", VALIDATION: "a validation question"}


class Contamination:
    """Compares training rows with the judged questions; `hits` is what contamination.jsonl lists."""

    def __init__(self, settings: IngestSettings) -> None:
        self._policy = settings.on_contamination
        self._run_words = settings.contamination_words
        self.hits: list[ContaminationHit] = []

    def reasons(
        self, train: Sequence[Located], judged: Mapping[str, Sequence[Question]]
    ) -> Iterator[tuple[Located, str]]:
        """Each row with the reason why it must not be trained on; empty when nothing speaks against it.

        judged: questions by side; those of a suite are of no subject of the user's. A subject is never on both
        sides, whatever the settings say.

        Raises:
            InputError: a row overlaps and on_contamination is "fail".
        """
        benchmarks = Benchmarks(judged, run_words=self._run_words)
        subjects = {
            subject_key(question): (side, question.id)
            for side, questions in judged.items()
            for question in questions
            if not question.suite
        }
        for located in train:
            found = benchmarks.hits(training_text(located))
            if found and self._policy == "fail":
                raise refusal(found[0], "ingest_settings.on_contamination")
            self.hits += found
            reason = self._reason(found[0]) if found and self._policy == "exclude" else ""
            known = subjects.get(subject_key(located.question))
            if known and not reason:
                reason = f"same subject as {_NAMES[known[0]]} ({known[1]})"
            yield located, reason

    def _reason(self, hit: ContaminationHit) -> str:
        name = _NAMES.get(hit.suite, f"an item of {hit.suite}")
        if self._run_words and hit.words >= self._run_words:
            return f"{self._run_words} words in a row shared with {name} ({hit.item})"
        return f"holds the text of {name} ({hit.item})"


def training_text(located: Located) -> TrainingText:
    """All of a row that is trained on or shown: its question, the dialogue, its prompt and the gold calls."""
    asked = question_text(located.question)
    if located.trace is None:
        return asked
    said = trace_text(located.trace)
    golds = tuple(one for one in asked.others if one[0] == "golds")
    return TrainingText(located.question.id, said.asked, said.others + golds, said.instructions)
