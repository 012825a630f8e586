"""A run that is stopped while it trains, and `--from` the stage after it: real runs, one after another."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.local_runs import SMALL, LocalRun, prepare_self_training, run_pipeline

WORDS = (
    *(word for word in SMALL if not word.startswith("sft.epochs=")),
    *("ingest.shards=2", "sft.epochs=6", "sft.batch_size=1", "sft.save_every=1"),
)
BEFORE_SFT = ("Ingest", "Trace generation", "Error labeling", "Preference pairs")


@dataclass(frozen=True)
class Runs:
    """stopped: the folder of the run that got a Ctrl-C; resumed, judged: those that went on from it in turn."""

    stopped: Path
    resumed: LocalRun
    judged: LocalRun


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("restart")
    prepare_self_training(folder, problems=14, plain=4)
    stopped = stop_in_training(folder)
    resumed = run_pipeline(folder, "self_training", *WORDS, "--from", "sft")
    place = resumed.folder.resolve()
    words = (*WORDS, "promotion.samples=300", "--from", "promotion", "--of", str(place))
    judged = run_pipeline(folder, "self_training", *words)
    return Runs(stopped, LocalRun(resumed.output, place), LocalRun(judged.output, judged.folder.resolve()))


def stop_in_training(folder: Path) -> Path:
    """Send SIGINT to a run after a few steps of SFT; gives its folder."""
    # a shell's background job ignores SIGINT, which children inherit and the command then leaves alone
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines", "run", "self_training", *WORDS],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        step = re.match(r"\[sft\] (\d+)/", line)
        if step and int(step[1]) >= 3:
            process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 128 + signal.SIGINT, "".join(lines)
    (run,) = (folder / "runs").iterdir()
    return run.resolve()


def test_what_came_before_is_taken_over_and_shown_so(runs: Runs) -> None:
    for stage in BEFORE_SFT:
        assert runs.resumed.output.count(f"{stage}: taken over\n") == 1
        assert runs.resumed.times_done(stage) == 0
    for stage in ("Preflight", "SFT", "DPO", "Evaluation after", "Promotion", "Run report"):
        assert runs.resumed.times_done(stage) == 1, stage
    assert f"taken over from {runs.stopped}\n" in runs.resumed.output


def test_the_artifacts_are_those_of_the_run_that_was_stopped(runs: Runs) -> None:
    stopped = LocalRun("", runs.stopped)
    for path, schema in {
        "ingest/question_set": "questions/1",
        "for-loop-*-iteration-0/trace-generation/traces": "traces/1",
        "for-loop-*-iteration-1/trace-generation/traces": "traces/1",
        "error-labeling/labeled": "labeled_traces/1",
    }.items():
        assert runs.resumed.artifact(path, schema).digest == stopped.artifact(path, schema).digest
    labeled = runs.resumed.artifact("error-labeling/labeled", "labeled_traces/1")
    adapter = runs.resumed.artifact("sft/adapter", "adapter/1")
    assert labeled.digest in adapter.manifest.lineage.values()


def test_the_training_went_on_from_its_checkpoint(runs: Runs) -> None:
    said = (runs.resumed.folder / "log.txt").read_text(encoding="utf-8")
    (step,) = re.findall(r"\[sft\] goes on after step (\d+) of", said)
    assert int(step) >= 1


def test_a_run_that_went_on_is_as_good_to_go_on_from(runs: Runs) -> None:
    for stage in (*BEFORE_SFT, "SFT", "DPO", "Evaluation before", "Evaluation after"):
        assert runs.judged.output.count(f"{stage}: taken over\n") == 1, stage
    assert runs.judged.times_done("Promotion") == 1
    assert runs.judged.summary()["overall"]["accuracy"] == runs.resumed.summary()["overall"]["accuracy"]
    digests = {one.artifact("dpo/adapter", "adapter/1").digest for one in (runs.resumed, runs.judged)}
    assert len(digests) == 1
    for run in (runs.resumed, runs.judged):
        assert (run.folder / "adapter" / "adapter_model.safetensors").stat().st_size > 0
        assert (run.folder / "report.html").is_file()


def test_the_earlier_runs_stay_as_they_were(runs: Runs) -> None:
    assert not (runs.stopped / "report.html").exists()
    assert (runs.judged.folder.parent / "latest").resolve() == runs.judged.folder
    said = (runs.resumed.folder / "pipeline").glob("*/**/executor_output.json")
    assert all(str(runs.stopped) not in path.read_text(encoding="utf-8") for path in said)
