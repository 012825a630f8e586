"""The real thing, small: the committed DAG through kfp.local, with SeaweedFS, tools service and a tiny model."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from components.contracts.artifacts import read_manifest
from components.contracts.jsonl import write_records
from tests.test_model import build_test_model, plain_questions, word_problems

pytestmark = pytest.mark.xdist_group("self_training_dag")  # one run serves all these tests

MARK = "WHETSTONE_TEST_RUN"
SMALL = (
    "trace_generation.variant=single_step",
    "trace_generation.max_new_tokens=40",
    "trace_generation.engine.call_format=paper",
    "evaluation.variant=single_step",
    "evaluation.engine.call_format=paper",
    "evaluation.max_new_tokens=40",
    "sft.epochs=1",
    "sft.lora_rank=2",
    "sft.batch_size=8",
    "ingest.shards=2",
    "ingest.held_out_share=0.5",
)
STAGES = (
    "Preflight",
    "Ingest",
    "Trace generation",
    "Error labeling",
    "SFT",
    "Evaluation before",
    "Evaluation after",
    "Promotion",
)


@dataclass(frozen=True)
class Place:
    """A folder with a model, questions and passages, where `whetstone run` is called."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def command(self, *words: str, questions: str) -> list[str]:
        inputs = (f"questions={questions}", "corpus=corpus.jsonl", "base_model=model")
        return [sys.executable, "-m", "pipelines", "run", "self_training", *inputs, *SMALL, *words]

    @contextmanager
    def start(
        self, *words: str, questions: str = "questions.jsonl"
    ) -> Iterator[tuple["subprocess.Popen[str]", str]]:
        """The command at work, and the mark that all its descendants carry in their environment."""
        mark = uuid.uuid4().hex
        environment = {**os.environ, MARK: mark, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        process = subprocess.Popen(
            self.command(*words, questions=questions),
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process, mark
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("self_training")
    build_test_model(folder / "model")
    write_records(folder / "questions.jsonl", [*word_problems(20, seed=7), *plain_questions(6, seed=7)])
    passage = {"id": "1", "title": "Averes", "text": "Averes is a town in Portugal."}
    (folder / "corpus.jsonl").write_text(json.dumps(passage) + "\n", encoding="utf-8")
    return Place(folder)


@dataclass(frozen=True)
class Finished:
    """A run that is over: what it printed, its folder, and who is still there."""

    output: str
    folder: Path
    left: list[str]


@pytest.fixture(scope="module")
def finished(place: Place) -> Finished:
    with place.start() as (process, mark):
        output, _ = process.communicate(timeout=900)
        left = descendants(mark)
    assert process.returncode == 0, output
    return Finished(output, place.runs / "latest", left)


def descendants(mark: str) -> list[str]:
    """Processes, of any parent, that were started by the marked run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_every_stage_ran_once_and_nothing_is_left(finished: Finished) -> None:
    assert finished.left == []
    for stage in STAGES:
        assert len(re.findall(rf"^{stage}: done in [\d.]+ s$", finished.output, re.MULTILINE)) == 1
    assert "[trace_generation] " in finished.output
    assert list(finished.folder.glob("tmp*")) == []


def test_artifacts_lie_in_the_store_and_only_manifests_in_the_folder(finished: Finished) -> None:
    expected = {
        "ingest/question_set": "questions/1",
        "for-loop-1-iteration-0/trace-generation/traces": "traces/1",
        "for-loop-1-iteration-1/trace-generation/traces": "traces/1",
        "error-labeling/labeled": "labeled_traces/1",
        "sft/adapter": "adapter/1",
        "evaluation/evaluation": "evaluation/1",
        "evaluation-2/evaluation": "evaluation/1",
        "promotion/comparison": "comparison/1",
    }
    (root,) = (finished.folder / "pipeline").iterdir()
    for path, schema in expected.items():
        manifest = read_manifest(root / path)
        assert manifest.schema_tag == schema
        assert manifest.payload.startswith("s3://whetstone/artifacts")
        assert [entry.name for entry in (root / path).iterdir()] == ["manifest.json"]


def test_the_run_folder_holds_what_people_want(finished: Finished) -> None:
    summary = json.loads((finished.folder / "summary.json").read_text(encoding="utf-8"))
    assert {"overall", "needs_tool", "no_tool", "arithmetic", "errors_before", "errors_after"} <= set(summary)
    assert summary["seconds"] > 0
    for metric in ("accuracy", "exact_match", "invoke_rate"):
        assert set(summary["overall"][metric]) >= {"before", "after", "difference"}
        assert set(summary["overall"][metric]["difference"]) == {"mean", "low", "high"}
    assert summary["needs_tool"]["called_share"]["before"] > 0.5  # the model calls, and the service answers
    assert summary["needs_tool"]["pass_rate"]["after"] > 0.5
    report = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "<html" in report
    assert not re.search(r"""(?:src|href)=["']?https?://""", report)
    adapter = finished.folder / "adapter"
    assert (adapter / "adapter_model.safetensors").stat().st_size > 0
    assert json.loads((adapter / "policy.json").read_text(encoding="utf-8"))["template_hash"]
    assert "before  after" in finished.output
    assert finished.output.rstrip().endswith("report.html")


def test_no_secret_is_written(finished: Finished) -> None:
    for name in ("log.txt", "plan.json", "tools_service.log", "summary.json", "report.html"):
        text = (finished.folder / name).read_text(encoding="utf-8")
        assert not re.search(r"(?i)secret_access_key|bearer [0-9a-f]{16}", text), name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_midway_leaves_nothing(place: Place, number: signal.Signals) -> None:
    before = sorted(place.runs.glob("*/summary.json"))
    with place.start() as (process, mark):
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Ingest ..."):
                break
        assert len(descendants(mark)) >= 4  # the command, the store, the tools service, kfp.local
        process.send_signal(number)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
        assert process.wait(timeout=60) == 128 + number, output
        assert descendants(mark) == []
    assert output.splitlines()[-1].startswith(f"error: stopped by {number.name}")
    assert sorted(place.runs.glob("*/summary.json")) == before


def test_a_stage_that_fails_is_named_in_one_line(place: Place) -> None:
    (place.folder / "bad.jsonl").write_text('{"text": "What is 1 plus 1?", "answers": 7\n', encoding="utf-8")
    with place.start('preflight.skip=["questions"]', questions="bad.jsonl") as (process, mark):
        output, _ = process.communicate(timeout=300)
        assert descendants(mark) == []
    assert process.returncode == 1
    error, log = output.splitlines()[-2:]
    assert re.match(r"error: ingest: .*bad\.jsonl", error), output
    assert Path(log.removeprefix("log: ")).is_file()


def test_the_copied_adapter_is_the_one_that_the_manifest_names(finished: Finished) -> None:
    (root,) = (finished.folder / "pipeline").iterdir()
    for entry in read_manifest(root / "sft" / "adapter").files:
        content = (finished.folder / "adapter" / entry.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry.sha256
