"""Traces that hold what the run is judged by: compared with the benchmarks before anything is trained on."""

from collections.abc import Iterator
from typing import Any

from components.contracts.artifacts import Artifact
from components.contracts.contamination import ContaminationHit, OnContamination
from components.contracts.jsonl import read_records
from components.contracts.records import Question, Trace
from components.scoring.contamination import (
    RUN_WORDS,
    Benchmarks,
    refusal,
)
from components.scoring.training_text import trace_text
from components.storage import open_input

# Of a suite all items, also those that suite_limit leaves out: its score is the adapter's also when all are judged.
JUDGED = ("held_out", "validation", "suites", "suites_left_out")
SETTING = "error_labeling_settings.on_contamination"
WORDS = "contamination_words"  # a detail of the question set: what ingest was told


class ContaminationCheck:
    """Compares traces with the judged questions of a question set, one at a time; `hits` is what it found.

    Without a question set there is nothing to compare with, and `digest` is empty.
    """

    def __init__(self, question_set: Any, artifact_store: str, policy: OnContamination) -> None:
        """question_set: an artifact questions/1, or None.

        Raises:
            InputError: it can't be read.
        """
        self.hits: list[ContaminationHit] = []
        self.digest = ""
        self._policy = policy
        self._benchmarks = Benchmarks({})
        if question_set is not None:
            opened = open_input(question_set.path, "questions/1", artifact_store)
            self.digest = opened.digest
            words = opened.manifest.details.get(WORDS)
            sides = {side: _questions(opened, f"{side}.jsonl") for side in JUDGED}
            self._benchmarks = Benchmarks(sides, run_words=words if isinstance(words, int) else RUN_WORDS)

    @property
    def items(self) -> int:
        """With how many questions traces are compared."""
        return len(self._benchmarks)

    def excludes(self, trace: Trace) -> bool:
        """Whether the trace is to be left out.

        Raises:
            InputError: it holds a benchmark's item and the policy is "fail".
        """
        found = self._benchmarks.hits(trace_text(trace)) if self.items else []
        if found and self._policy == "fail":
            raise refusal(found[0], SETTING)
        self.hits += found
        return bool(found) and self._policy == "exclude"

    def explain(self, traces: int) -> str:
        """Why nothing is left, where all of so many traces were left out: the first of what they hold; else empty."""
        if self._policy != "exclude" or not traces or len({one.row for one in self.hits}) < traces:
            return ""
        return f"none of {traces} traces is left; {refusal(self.hits[0], SETTING, 'list')}"


def _questions(question_set: Artifact, name: str) -> Iterator[Question]:
    """None where the file is not there: question sets made before there were suites."""
    if any(entry.path == name for entry in question_set.manifest.files):
        yield from read_records(question_set.path(name), Question)
