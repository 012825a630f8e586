"""iTool's iterated stage: the hardest questions are searched, the policy is tuned on the steps, and judged."""

from typing import Any

from kfp.dsl import PipelineTask

from components.dpo.component import dpo
from components.mcts.component import mcts
from pipelines.judging import Judge
from pipelines.tasks import Run


def iterate(run: Run, ingested: PipelineTask, judge: Judge, labeled: Any, count: int) -> dict[str, Any]:
    """Add search -> DPO -> judgement, `count` times over; each iteration's adapter, by its title.

    Each begins with the policy that the judge hands on, which is the reference of its DPO. labeled: what the policy
    before the first was trained on.
    """
    adapters = {}
    for number in range(1, count + 1):
        title = f"iteration {number}"
        names = f"Iteration {number}: {{}}"
        pairs = run.add(
            mcts,
            names.format("Search"),
            question_set=ingested.outputs["question_set"],
            adapter=judge.adapter,
            method=judge.method,
        ).outputs["pairs"]
        tuned = run.add(
            dpo, names.format("DPO"), pairs=pairs, initial=judge.adapter, method=judge.method
        ).outputs["adapter"]
        judge.judge(tuned, labeled, stage_names=names, title=title)
        adapters[title] = tuned
    return adapters
