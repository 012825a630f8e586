"""iTool: SFT from easy to hard, then the hardest questions searched and the policy tuned on the steps, again and again.

preflight -> ingest (a share of the trajectories' questions is left for search) -> trace generation (of the questions
that have no gold) -> error labeling -> warm-up SFT -> [search -> DPO -> judgement on the validation questions] several
times over. The held-out questions are asked of the base model, the warm-up, its control (SFT in mixed order) and every
iteration, for one table; the best by validation is promoted.
"""

import json
from collections.abc import Collection
from typing import Any

from components.ablation.component import ablation
from components.evaluation.component import evaluation
from components.sft.component import sft
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
    "mcts",
    "dpo",
    "evaluation",
    "rounds",
    "ablation",
    "promotion",
)
COMMITTED = 3
PAPER = "itool"
WARM_UP, MIXED = "warm-up", "mixed SFT"
CONTROL = "control"  # what `without` may name: the SFT in mixed order


def unrolled(count: int, without: Collection[str] = ()) -> Any:
    """The pipeline with `count` iterations (at least one), which are fixed when it is compiled.

    without: "control" leaves out the SFT in mixed order.
    """

    @declared(
        "itool", f"Whetstone: iTool, {count} iterations", STAGES, PUBLISH, methods_of(STAGES), preset=PAPER
    )
    def itool(run: Run) -> None:
        """Teach a model to use tools from easy to hard, let it search what is hardest, and prove the best iteration."""
        ingested = run.prepare(validation=True)
        questions = ingested.outputs["question_set"]
        labeled = run.label(ingested, run.practise(ingested))
        adapters = {WARM_UP: run.add(sft, "Warm-up SFT", labeled=labeled).outputs["adapter"]}
        judge = Judge(run, ingested, noun="iteration")
        judge.judge(adapters[WARM_UP], labeled, stage_names="Warm-up: {}", title=WARM_UP)
        if CONTROL not in without:
            mixed = run.add(sft, "Mixed SFT", labeled=labeled, overrides='{"curriculum":"mixed"}')
            adapters[MIXED] = mixed.outputs["adapter"]
        adapters |= iterate(run, ingested, judge, labeled, count)

        base = run.add(evaluation, "Evaluation before", question_set=questions, title="base model")
        rows: dict[str, Any] = {
            title: run.add(
                evaluation,
                f"Evaluation of {title}",
                question_set=questions,
                adapter=adapter,
                title=title,
            ).outputs["evaluation"]
            for title, adapter in adapters.items()
        }
        run.add(
            ablation,
            "Table",
            base=base.outputs["evaluation"],
            overrides=json.dumps({"rows": list(rows)}),
            **{f"evaluation_{place}": row for place, row in enumerate(rows.values(), start=1)},
            **{f"adapter_{place}": adapter for place, adapter in enumerate(adapters.values(), start=1)},
        )
        after = run.add(
            evaluation,
            "Evaluation after",
            question_set=questions,
            adapter=judge.best,
            title=f"best of {count} iterations",
            earlier=rows[f"iteration {count}"],
        )
        promote(
            run,
            before=base.outputs["evaluation"],
            between=rows[WARM_UP],
            after=after.outputs["evaluation"],
            adapter=judge.best,
            labeled=judge.best_labeled,
        )

    return itool


itool = unrolled(COMMITTED)
