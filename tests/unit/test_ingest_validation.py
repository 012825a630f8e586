"""Validation: its own subjects, out of training's, whatever the source; held-out questions stay as they are."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_raw, read_records
from components.contracts.records import Question, Trace
from components.ingest.__main__ import main
from components.ingest.run import run
from components.ingest.split import is_held_out, is_validation, subject_key


class Ingested:
    """What one run of the stage left behind."""

    def __init__(self, folder: Path, questions: str, *, validation: bool, **settings: Any) -> None:
        self.metrics: dict[str, float] = {}
        metrics = SimpleNamespace(log_metric=self.metrics.__setitem__)
        names = ("set", "traces", "report.md")
        asked, traces, report = (SimpleNamespace(path=str(folder / name)) for name in names)
        run(questions, json.dumps(settings), "", asked, traces, metrics, report, validation)
        self.artifact: Artifact = open_artifact(folder / "set", "questions/1")
        self.counts = self.artifact.manifest.counts
        self.train, self.validation, self.held_out = (
            list(read_records(self.artifact.path(f"{side}.jsonl"), Question))
            for side in ("train", "validation", "held_out")
        )
        self.traces = list(read_records(folder / "traces/traces.jsonl", Trace))
        self.quarantine: list[Any] = [row for _, row in read_raw(self.artifact.path("quarantine.jsonl"))]
        self.report = (folder / "report.md").read_text()
        counts = self.counts
        assert counts["read"] == counts["kept"] + counts["quarantined"]
        assert counts["kept"] == sum(
            counts[side] for side in ("train", "validation", "held_out", "over_limit")
        )
        for one, other in (("train", "validation"), ("train", "held_out"), ("validation", "held_out")):
            assert not self.subjects(one) & self.subjects(other)

    def subjects(self, side: str) -> set[str]:
        chosen: list[Question] = getattr(self, side)
        trained = [trace.question for trace in self.traces] if side == "train" else []
        return {subject_key(one) for one in [*chosen, *trained]}

    def held_out_bytes(self) -> bytes:
        return self.artifact.path("held_out.jsonl").read_bytes()


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


ROWS = [
    {"question": f"Who is number {n}?", "answers": [str(n)], "subject": f"subject {n % 100}"}
    for n in range(400)
]


@pytest.mark.parametrize("source", ["file", "demo://", "demo://calls"])
def test_validation_comes_out_of_training_alone(tmp_path: Path, source: str) -> None:
    given_source = write(tmp_path / "q.jsonl", ROWS) if source == "file" else source
    without = Ingested(tmp_path / "without", given_source, validation=False)
    found = Ingested(tmp_path / "with", given_source, validation=True)
    assert without.validation == []
    assert without.counts["validation"] == 0
    assert found.held_out_bytes() == without.held_out_bytes()
    before = {one.id: one for one in without.train}
    assert {one.id for one in found.train} < set(before)
    if source != "demo://calls":  # there what is judged is another record than the trajectory
        assert all(before[one.id] == one for one in [*found.train, *found.validation])
        assert len(found.train) + len(found.validation) == len(without.train)
    assert 0.03 < len(found.validation) / len(without.train) < 0.2
    assert found.counts["validation"] == found.metrics["validation"] == len(found.validation)
    assert f"validation {len(found.validation)}, held out" in found.report
    assert "## First validation questions" in found.report
    assert "validation questions" not in without.report
    again = Ingested(tmp_path / "again", given_source, validation=True)
    assert again.artifact.digest == found.artifact.digest


def test_no_trajectory_of_a_validation_subject_is_trained_on(tmp_path: Path) -> None:
    without = Ingested(tmp_path / "without", "demo://calls", validation=False)
    found = Ingested(tmp_path / "with", "demo://calls", validation=True, validation_share=0.3)
    aside = {one.id for one in found.validation}
    assert len(aside) > 40
    assert aside <= {trace.question.id for trace in without.traces}
    assert not aside & {trace.question.id for trace in found.traces}
    assert len(found.traces) == len(without.traces) - len(aside)
    assert all(one.golds and one.offered for one in found.validation)


def test_training_that_overlaps_validation_is_dropped_and_named(tmp_path: Path) -> None:
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    rows = [
        {"question": f"Number {n}: {long}?", "answers": ["x"], "subject": f"s{n}"} for n in range(12)
    ] + ROWS[:200]
    path = write(tmp_path / "q.jsonl", rows)
    found = Ingested(tmp_path / "with", path, validation=True, held_out_share=0)
    judged = [one for one in found.validation if long in one.text]
    assert judged
    assert not any(long in one.text for one in found.train)
    reasons = [row["reason"] for row in found.quarantine]
    assert len(reasons) == found.counts["contaminated"] == 12 - len(judged)
    assert all(
        reason.startswith("13 words in a row shared with a validation question (") for reason in reasons
    )


def test_limits_hold_for_validation_too(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", ROWS)
    found = Ingested(
        tmp_path / "a", path, validation=True, validation_share=0.5, max_held_out=7, max_train=20
    )
    assert (len(found.train), len(found.validation), len(found.held_out)) == (20, 7, 7)


def test_an_empty_side_says_what_to_change(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", ROWS[:3])
    with pytest.raises(InputError, match=r"none of 3 training questions.*validation_share"):
        Ingested(tmp_path / "a", path, validation=True, held_out_share=0, validation_share=0.001)
    with pytest.raises(InputError, match=r"3 questions went to validation and no other.*validation_share"):
        Ingested(tmp_path / "b", path, validation=True, held_out_share=0, validation_share=0.999)
    with pytest.raises(InputError, match=r"validation_share"):
        Ingested(tmp_path / "c", path, validation=True, validation_share=1)


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.05, 0.5))
def test_the_salt_makes_both_splits_independent(seed: int, share: float) -> None:
    questions = [Question(id=str(n), text=f"question {n}") for n in range(2000)]
    held_out = [is_held_out(one, seed=seed, share=0.2) for one in questions]
    validation = [is_validation(one, seed=seed, share=share) for one in questions]
    assert abs(sum(validation) / 2000 - share) < 0.06
    both = sum(one and other for one, other in zip(held_out, validation, strict=True))
    assert abs(both / 2000 - 0.2 * share) < 0.05


def test_from_a_shell(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", ROWS)
    assert main(["--questions", path, "--validation", "--output", str(tmp_path / "out")]) == 0
    artifact = open_artifact(tmp_path / "out/question_set", "questions/1")
    assert artifact.manifest.counts["validation"] > 0
