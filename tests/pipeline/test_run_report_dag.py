"""The exit handler by kfp.local itself: the report is written though a stage failed, and the run stays a failure."""

import json
import os
import subprocess
import sys
from pathlib import Path

from kfp import compiler

from components.ingest.component import ingest
from pipelines.declare import declared
from pipelines.local.dag import Plan
from pipelines.spec.validate import check_compiled
from pipelines.tasks import Run
from tests.test_model import word_problems


@declared("one-stage", "One stage", ("ingest",))
def one_stage(run: Run) -> None:
    """Read questions."""
    run.add(ingest, "Ingest")


def execute(folder: Path, questions: Path) -> "tuple[subprocess.CompletedProcess[str], Path]":
    """Run it; the process and the folder of its tasks."""
    package = folder / "one_stage.yaml"
    compiler.Compiler().compile(one_stage, str(package))
    check_compiled(package.read_text())
    plan = Plan(
        pipeline="self_training",
        package=package,
        parameters={"questions": str(questions)},
        folder=folder,
        artifact_store="",
    )
    (folder / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.local.dag", "plan.json"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (root,) = (folder / "pipeline").iterdir()
    return done, root


def test_the_report_is_written_though_the_stage_failed(tmp_path: Path) -> None:
    done, root = execute(tmp_path, tmp_path / "absent.jsonl")
    assert done.returncode != 0
    text = (root / "run-report/report").read_text(encoding="utf-8")
    assert "One stage: the run failed" in text
    assert "absent.jsonl" in text  # among what the run was given
    assert "Inner task failed" in done.stderr


def test_after_a_success_it_says_so(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(
        "".join(f"{json.dumps(one.model_dump(mode='json'))}\n" for one in word_problems(8, seed=3)),
        encoding="utf-8",
    )
    done, root = execute(tmp_path, questions)
    text = (root / "run-report/report").read_text(encoding="utf-8")
    assert "One stage: the run succeeded" in text, done.stdout + done.stderr
    assert (root / "ingest/question_set").is_dir()
