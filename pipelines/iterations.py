"""iTool's iterated stage: the hardest questions are searched, the policy is tuned on the steps, and judged."""

from typing import Any

from kfp.dsl import PipelineTask

from components.dpo.component import dpo
from components.mcts.component import mcts
from pipelines.judging import Judge
from pipelines.tasks import Run


def search_and_tune(
    run: Run,
    ingested: PipelineTask,
    adapter: Any,
    *,
    stage_names: str,
    method: Any = None,
    searching: Any = None,
) -> Any:
    """Add the search by a policy and its DPO on the steps found; gives the new adapter.

    adapter: None for the base model. stage_names: shows where in the run they are, such as "Iteration 2: {}".
    searching: what is laid over the search's settings.
    """
    pairs = run.add(
        mcts,
        stage_names.format("Search"),
        question_set=ingested.outputs["question_set"],
        adapter=adapter,
        overrides=searching,
        method=method,
    ).outputs["pairs"]
    return run.add(dpo, stage_names.format("DPO"), pairs=pairs, initial=adapter, method=method).outputs[
        "adapter"
    ]


def iterate(run: Run, ingested: PipelineTask, judge: Judge, labeled: Any, count: int) -> dict[str, Any]:
    """Add search -> DPO -> judgement, `count` times over; each iteration's adapter, by its title.

    Each begins with the policy that the judge hands on, which is the reference of its DPO. labeled: what the policy
    before the first was trained on.
    """
    adapters = {}
    for number in range(1, count + 1):
        title = f"iteration {number}"
        names = f"Iteration {number}: {{}}"
        tuned = search_and_tune(run, ingested, judge.adapter, stage_names=names, method=judge.method)
        judge.judge(tuned, labeled, stage_names=names, title=title)
        adapters[title] = tuned
    return adapters
