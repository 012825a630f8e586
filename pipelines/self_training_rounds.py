"""Self-training in rounds: each round practises with the policy of the one before and learns from that.

A round is trace generation -> error labeling -> preference pairs -> SFT -> DPO -> evaluation on the validation
questions -> judgement. Once a round hurt or had nothing to train on, those after it practise and train nothing and hand on.
The best round, by the validation questions, is then judged once on the held-out ones and promoted.
"""

from typing import Any

from pipelines.declare import KIND, METHOD, PUBLISH, declared
from pipelines.judging import Judge
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
        judge = Judge(run, ingested, noun="round")
        for number in range(1, count + 1):
            names = f"Round {number}: {{}}"
            traces = run.practise_inside(
                practices[number - 1], ingested, adapter=judge.adapter, method=judge.method
            )
            taught = teach(
                run, ingested, traces, stage_names=names, initial=judge.adapter, method=judge.method
            )
            judge.judge(taught.adapter, taught.labeled, stage_names=names, title=f"round {number}")

        promoted = Taught(judge.best_labeled, taught.tuned, judge.best)
        prove(run, ingested, promoted, title=f"best of {count} rounds")

    return self_training_rounds


self_training_rounds = unrolled(COMMITTED)
