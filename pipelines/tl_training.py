"""TL-Training: faulty turns masked, key tokens weighted, then PPO on a reward for the kind of error.

preflight -> ingest -> trace generation (sharded; of the questions that have no gold) -> error labeling ->
SFT -> PPO from the SFT policy, with the same evaluation of the base model, after SFT and after PPO, and
promotion at the end.
"""

from components.evaluation.component import evaluation
from components.ppo.component import ppo
from components.sft.component import sft
from pipelines.declare import PUBLISH, declared
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
    "evaluation",
    "promotion",
)

PAPER = "tl-training"


@declared("tl-training", "Whetstone: TL-Training", STAGES, PUBLISH, preset=PAPER)
def tl_training(run: Run) -> None:
    """Teach a model to use tools from trajectories and its own practice, then by reward, and prove it."""
    ingested = run.prepare()
    questions = ingested.outputs["question_set"]
    labeled = run.label(ingested, run.practise(ingested))
    tuned = run.add(sft, "SFT", labeled=labeled).outputs["adapter"]
    improved = run.add(ppo, "PPO", labeled=labeled, initial=tuned).outputs["adapter"]

    before = run.add(evaluation, "Evaluation before", question_set=questions, title="base model")
    between = run.add(
        evaluation, "Evaluation after SFT", question_set=questions, adapter=tuned, title="after SFT"
    )
    after = run.add(
        evaluation, "Evaluation after PPO", question_set=questions, adapter=improved, title="after PPO"
    )
    promote(
        run,
        before=before.outputs["evaluation"],
        between=between.outputs["evaluation"],
        after=after.outputs["evaluation"],
        adapter=improved,
        labeled=labeled,
    )
