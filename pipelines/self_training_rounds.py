"""Self-training in rounds: each round practises with the policy of the one before and learns from that.

A round is trace generation -> error labeling -> preference pairs -> SFT -> DPO -> evaluation on the validation
questions -> judgement. Once a round hurt, the rounds after it practise and train nothing and hand the adapter on.
The best round, by the validation questions, is then judged once on the held-out ones and promoted.
"""

from typing import Any

from components.evaluation.component import evaluation
from components.rounds.component import rounds
from pipelines.declare import KIND, METHOD, PUBLISH, declared
from pipelines.practice import practising
from pipelines.steps import Taught, prove, teach
from pipelines.tasks import Run

# The stages with settings, in the order in which they run.
STAGES = (
    "preflight",
    "ingest",
    "trace_generation",
    "error_labeling",
    "preferences",
    "sft",
    "dpo",
    "evaluation",
    "rounds",
    "promotion",
)
COMMITTED = 3


def unrolled(count: int) -> Any:
    """The pipeline with `count` rounds (at least one), which are fixed when it is compiled."""
    # KFP takes a pipeline inside a pipeline only if it was made before.
    practices = [
        practising(f"Round {number}: Trace generation", with_adapter=number > 1)
        for number in range(1, count + 1)
    ]
    shown = f"Whetstone: self-training, {count} rounds"

    @declared("self-training-rounds", shown, STAGES, PUBLISH, METHOD, KIND)
    def self_training_rounds(run: Run) -> None:
        """Teach a model to use tools by its own practice, round after round, and prove the best round."""
        ingested = run.prepare(validation=True)
        on_validation = {"question_set": ingested.outputs["question_set"], "split": "validation"}
        base = run.add(
            evaluation, "Evaluation before, on validation", title="base model", **on_validation
        ).outputs["evaluation"]

        method: Any = run.given["method"]
        adapter = history = best = earlier = (
            None  # of the rounds so far; the first begins with the base model
        )
        for number in range(1, count + 1):
            names = f"Round {number}: {{}}"
            traces = run.practise_inside(practices[number - 1], ingested, adapter=adapter, method=method)
            taught = teach(run, ingested, traces, stage_names=names, initial=adapter, method=method)
            earlier = run.add(
                evaluation,
                names.format("Evaluation"),
                adapter=taught.adapter,
                title=f"round {number}",
                earlier=earlier,
                **on_validation,
            ).outputs["evaluation"]
            judged = run.add(
                rounds,
                names.format("Judgement"),
                evaluation=earlier,
                adapter=taught.adapter,
                labeled=taught.labeled,
                base=base,
                earlier=history,
                best_so_far=best,
                method=method,
            )
            history, best = judged.outputs["history"], judged.outputs["best"]
            adapter, method = judged.outputs["next_adapter"], judged.outputs["Output"]

        promoted = Taught(taught.labeled, taught.tuned, best)
        prove(run, ingested, promoted, title=f"best of {count} rounds")

    return self_training_rounds


self_training_rounds = unrolled(COMMITTED)
