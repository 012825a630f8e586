"""The whole composition of the three papers: SFT, PPO, and the search with DPO on its steps.

preflight -> ingest -> trace generation (of the questions that have no gold) -> error labeling -> SFT from easy to hard
with masked faults and weighted key tokens -> PPO -> [search -> DPO -> judgement on the validation questions] several
times over -> the same evaluation of the base model, before the first search and of the best -> promotion.
Every training can be left out: by the parameter `method`, where its stage hands the adapter on, or when compiling.
"""

from collections.abc import Collection
from typing import Any

from components.contracts.errors import InputError
from components.contracts.methods import METHODS
from components.evaluation.component import evaluation
from components.ppo.component import ppo
from components.sft.component import sft
from pipelines.catalog import PIPELINES
from pipelines.declare import PUBLISH, declared, methods_of
from pipelines.iterations import iterate
from pipelines.judging import Judge
from pipelines.steps import promote
from pipelines.tasks import Run

# The stages with settings, in the order in which they run.
STAGES = (
    "preflight",
    "ingest",
    "trace_generation",
    "error_labeling",
    "sft",
    "ppo",
    "mcts",
    "dpo",
    "evaluation",
    "rounds",
    "promotion",
)
COMMITTED = 1
PAPER = "whetstone"


def unrolled(count: int, without: Collection[str] = ()) -> Any:
    """The pipeline with `count` iterations (at least one) and without some trainings, fixed when it is compiled.

    without: names of the catalog's parts: sft, ppo, mcts, dpo; of the last two either leaves out the iterations.

    Raises:
        InputError: no training is left.
    """
    parts = PIPELINES["whetstone"].parts
    gone = {stage for part in without for stage in parts[part]}
    stages = tuple(stage for stage in STAGES if stage not in gone)
    iterated = "mcts" in stages
    if not set(METHODS) & set(stages):
        raise InputError("without: no training is left; expected one of sft, ppo, or mcts with dpo, to stay")
    shown = f"Whetstone: all of it, {count} iterations" if iterated else "Whetstone: all of it but the search"

    @declared("whetstone", shown, stages, PUBLISH, methods_of(stages), preset=PAPER)
    def whetstone(run: Run) -> None:
        """Teach a model to use tools from easy to hard, by reward and by search, and prove the best that came of it."""
        ingested = run.prepare(validation=iterated)
        questions = ingested.outputs["question_set"]
        labeled = run.label(ingested, run.practise(ingested))
        adapter: Any = None  # the base model
        if "sft" in stages:
            adapter = run.add(sft, "SFT", labeled=labeled).outputs["adapter"]
        if "ppo" in stages:
            adapter = run.add(ppo, "PPO", labeled=labeled, initial=adapter).outputs["adapter"]
        searching = adapter
        if iterated:
            judge = Judge(run, ingested, noun="iteration")
            if adapter is not None:
                judge.judge(adapter, labeled, stage_names="Before search: {}", title="before search")
            iterate(run, ingested, judge, labeled, count)
            adapter = judge.best

        before = run.add(evaluation, "Evaluation before", question_set=questions, title="base model").outputs
        between: Any = None
        if iterated and searching is not None:
            between = run.add(
                evaluation,
                "Evaluation before search",
                question_set=questions,
                adapter=searching,
                title="before search",
            ).outputs["evaluation"]
        after = run.add(
            evaluation,
            "Evaluation after",
            question_set=questions,
            adapter=adapter,
            title="after all",
            earlier=between,  # which is handed on when no iteration was better
        ).outputs
        promote(
            run,
            before=before["evaluation"],
            between=between,
            after=after["evaluation"],
            adapter=adapter,
            labeled=labeled,
        )

    return whetstone


whetstone = unrolled(COMMITTED)
