"""`whetstone run` on the tiny model and a few questions, for the tests of whole pipelines. Not a test."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.jsonl import write_records
from components.contracts.records import Question, ToolCall
from tests.test_model import build_test_model, plain_questions, service_tools, word_problems

# Two samples with tools and one without: what is right with a tool meets what is wrong without one.
SMALL = (
    "questions=questions.jsonl",
    "corpus=corpus.jsonl",
    "base_model=model",
    "ingest.held_out_share=0.3",
    "trace_generation.variant=single_step",
    "trace_generation.num_samples=2",
    "trace_generation.no_tool_samples=1",
    "trace_generation.max_new_tokens=40",
    "trace_generation.temperature=0.3",
    "trace_generation.engine.call_format=paper",
    "evaluation.variant=single_step",
    "evaluation.max_new_tokens=40",
    "evaluation.engine.call_format=paper",
    "sft.epochs=1",
    "sft.lora_rank=2",
    "dpo.epochs=1",
    "dpo.lora_rank=2",
)


@dataclass(frozen=True)
class LocalRun:
    """A run that succeeded: what it printed, and its folder with the manifests of its artifacts."""

    output: str
    folder: Path

    def artifact(self, path: str, schema: str) -> Artifact:
        """One by `task/output`; its payload stayed in the store, which is down."""
        (folder,) = (self.folder / "pipeline").glob(f"*/{path}")
        return open_artifact(folder, schema, verify=False)

    def summary(self, folder: str = "") -> dict[str, Any]:
        """summary.json of the run's folder, or of one below it."""
        content: dict[str, Any] = json.loads(
            (self.folder / folder / "summary.json").read_text(encoding="utf-8")
        )
        return content

    def times_done(self, stage: str) -> int:
        """How often the terminal said that a stage, by the name that people see, is done."""
        return len(re.findall(rf"^{re.escape(stage)}: done in [\d.]+ s$", self.output, re.MULTILINE))


def run_self_training(folder: Path, *words: str, problems: int, plain: int) -> LocalRun:
    """Run `self_training` in a folder on so many word problems and questions that need no tool."""
    prepare_self_training(folder, problems=problems, plain=plain)
    return run_pipeline(folder, "self_training", *SMALL, *words)


def prepare_self_training(folder: Path, *, problems: int, plain: int) -> None:
    """Put a model, questions and one passage into a folder, as SMALL names them."""
    build_test_model(folder / "model")
    questions = [*word_problems(problems, seed=7), *plain_questions(plain, seed=7)]
    write_records(folder / "questions.jsonl", questions)
    _write_corpus(folder)


def gold_problems(count: int, seed: int) -> list[Question]:
    """Word problems with the call that solves each as their gold, and the tools on offer."""
    tools = json.dumps(service_tools())
    found = []
    for problem in word_problems(count, seed):
        first, second = re.findall(r"\d+", problem.text)
        sign = "-" if "left" in problem.text else "*" if "boxes" in problem.text else "+"
        gold = ToolCall(name="calculator", arguments={"expression": f"{first} {sign} {second}"})
        found.append(problem.model_copy(update={"offered": tools, "golds": ((gold,),)}))
    return found


def run_pipeline(folder: Path, pipeline: str, *words: str) -> LocalRun:
    """Run a pipeline in a folder, with one passage as corpus.jsonl."""
    _write_corpus(folder)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "run", pipeline, *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "140"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return LocalRun(done.stdout, folder / "runs" / "latest")


def _write_corpus(folder: Path) -> None:
    passage = {"id": "1", "title": "Averes", "text": "Averes is a town in Portugal."}
    (folder / "corpus.jsonl").write_text(json.dumps(passage) + "\n", encoding="utf-8")
