"""TL-Training's ablation: each of its three components alone and together, in one table (the paper's Table 5).

preflight -> ingest -> practice (traces of the questions that have no gold) -> four arms side by side:
error labeling -> SFT -> evaluation, and -> PPO from that policy -> evaluation. Two rows an arm, so eight
rows; the base model's own evaluation is row zero. One table of them all at the end.
"""

from kfp import dsl

from components.ablation.component import ablation
from components.evaluation.component import evaluation
from components.ppo.component import ppo
from components.sft.component import sft
from pipelines.declare import declared
from pipelines.practice import practising
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
    "ablation",
)

PAPER = "tl-training"
PRACTICE = practising("Trace generation")

# MAE masks turns whose call failed, PKT weighs key tokens, IRM is PPO on the reward. The overrides are laid over
# the run's own settings: rows without PKT have no key tokens, those with it the default reading, whatever
# sft_settings says. KFP takes a key called "name" for its own.
ARMS = [
    {
        "title": "none",
        "title_with_ppo": "IRM",
        "error_labeling": '{"mask_errors":false}',
        "sft": '{"key_tokens":"none"}',
    },
    {
        "title": "MAE",
        "title_with_ppo": "MAE & IRM",
        "error_labeling": '{"mask_errors":true}',
        "sft": '{"key_tokens":"none"}',
    },
    {
        "title": "PKT",
        "title_with_ppo": "PKT & IRM",
        "error_labeling": '{"mask_errors":false}',
        "sft": '{"key_tokens":"first_divergence"}',
    },
    {
        "title": "MAE & PKT",
        "title_with_ppo": "All",
        "error_labeling": '{"mask_errors":true}',
        "sft": '{"key_tokens":"first_divergence"}',
    },
]


@declared("tl-ablation", "Whetstone: TL-Training's ablation", STAGES, preset=PAPER)
def tl_ablation(run: Run) -> None:
    """Measure what each component of TL-Training does: eight trainings, one table."""
    ingested = run.prepare()
    questions = ingested.outputs["question_set"]
    traces = run.practise_inside(PRACTICE, ingested)
    base = run.add(evaluation, "Evaluation of the base model", question_set=questions, title="base model")

    with dsl.ParallelFor(ARMS, name="arms") as arm:
        labeled = run.label(ingested, traces, overrides=arm.error_labeling)
        tuned = run.add(sft, "SFT", labeled=labeled, overrides=arm.sft).outputs["adapter"]
        without_ppo = run.add(
            evaluation, "Evaluation after SFT", question_set=questions, adapter=tuned, title=arm.title
        )
        improved = run.add(ppo, "PPO", labeled=labeled, initial=tuned).outputs["adapter"]
        with_ppo = run.add(
            evaluation,
            "Evaluation after PPO",
            question_set=questions,
            adapter=improved,
            title=arm.title_with_ppo,
        )

    run.add(
        ablation,
        "Table",
        base=base.outputs["evaluation"],
        evaluations=dsl.Collected(without_ppo.outputs["evaluation"]),
        more_evaluations=dsl.Collected(with_ppo.outputs["evaluation"]),
        adapters=dsl.Collected(tuned),
        more_adapters=dsl.Collected(improved),
    )
