"""The judge between rounds: each policy is judged on the validation questions, against those before it."""

from typing import Any

from kfp.dsl import PipelineTask

from components.evaluation.component import evaluation
from components.rounds.component import rounds
from pipelines.tasks import Run

KEPT = ("best", "best_labeled", "best_evaluation")  # what a judgement hands on to the next one


class Judge:
    """Judges one round after the other, beginning with the base model.

    adapter, method: what the next round begins with, None for the base model, and which trainings it does: none
    once a round hurt or had nothing to train on. best, best_labeled: of the rounds so far.
    """

    adapter: Any = None
    best: Any = None
    best_labeled: Any = None

    def __init__(self, run: Run, ingested: PipelineTask, *, noun: str) -> None:
        """Add the base model's evaluation. noun: what reports call rounds."""
        self._noun = noun
        self.method: Any = run.given["method"]
        self._run = run
        self._asked = {"question_set": ingested.outputs["question_set"], "split": "validation"}
        self._before: dict[str, Any] = {}  # what the judgement before gave out, by its inputs' names
        self._base = run.add(
            evaluation, "Evaluation before, on validation", title="base model", **self._asked
        ).outputs["evaluation"]

    def judge(self, adapter: Any, labeled: Any, *, stage_names: str, title: str) -> None:
        """Add the evaluation of a round's adapter and its judgement.

        stage_names: shows where in the run they are, such as "Round 2: {}". title: what reports call the round.
        """
        judged = self._run.add(
            evaluation,
            stage_names.format("Evaluation"),
            adapter=adapter,
            title=title,
            earlier=self._before.get("best_evaluation_so_far"),  # of the adapter that is handed on, if one is
            **self._asked,
        ).outputs["evaluation"]
        judgement = self._run.add(
            rounds,
            stage_names.format("Judgement"),
            evaluation=judged,
            adapter=adapter,
            labeled=labeled,
            base=self._base,
            method=self.method,
            title=title,
            noun=self._noun,
            **self._before,
        ).outputs
        self._before = {f"{name}_so_far": judgement[name] for name in KEPT}
        self._before["earlier"] = judgement["history"]
        self.adapter, self.method = judgement["next_adapter"], judgement["Output"]
        self.best, self.best_labeled = judgement["best"], judgement["best_labeled"]
