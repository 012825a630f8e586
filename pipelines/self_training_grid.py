"""The self-training paper in one table: prompts alone, the three recipes of SFT, and DPO on the three kinds of pair.

preflight -> ingest -> practice (with samples without tools) -> the base model under four prompts, and six arms
from error labeling to an evaluation, two at a time on one machine -> one table, every row against the base model
under the prompt of the run's settings.
"""

from kfp import dsl

from components.ablation.component import ablation
from components.evaluation.component import evaluation
from pipelines.declare import declared
from pipelines.practice import practising
from pipelines.steps import teach
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
    "ablation",
)

PAPER = "self-training"
PRACTICE = practising("Trace generation")

# Overrides are laid over the run's own settings. KFP takes a key called "name" for its own.
PROMPTS = [
    {"title": "zero-shot plain", "evaluation": '{"variant":"plain"}'},
    {"title": "zero-shot CoT", "evaluation": '{"variant":"cot"}'},
    {"title": "zero-shot single-step", "evaluation": '{"variant":"single_step"}'},
    {"title": "zero-shot multi-step", "evaluation": '{"variant":"multi_step"}'},
]
# What is trained on traces without tools is judged without them, under the prompt it was trained under.
ARMS = [
    {
        "title": f"SFT {recipe.replace('_', ' ')}",
        "labeling": f'{{"recipe":"{recipe}"}}',
        "method": "sft",
        "kind": "",
        "evaluation": '{"variant":"cot"}' if recipe == "no_tool" else "{}",
    }
    for recipe in ("tools", "mixture", "no_tool")
] + [
    {
        "title": f"DPO {kind.replace('_', ' ')}",
        "labeling": "{}",
        "method": "dpo",
        "kind": kind,
        "evaluation": "{}",
    }
    for kind in ("response", "conversation", "masked_conversation")
]


@declared("self-training-grid", "Whetstone: self-training's grid", STAGES, preset=PAPER)
def self_training_grid(run: Run) -> None:
    """Measure what each way of the self-training paper does: four prompts, six trainings, one table."""
    ingested = run.prepare()
    questions = ingested.outputs["question_set"]
    traces = run.practise_inside(PRACTICE, ingested)

    with dsl.ParallelFor(PROMPTS, name="prompts") as prompt:
        prompted = run.add(
            evaluation,
            "Evaluation of a prompt",
            question_set=questions,
            title=prompt.title,
            overrides=prompt.evaluation,
        )
    with dsl.ParallelFor(ARMS, name="arms") as arm:
        taught = teach(run, ingested, traces, labeling=arm.labeling, method=arm.method, kind=arm.kind)
        trained = run.add(
            evaluation,
            "Evaluation after training",
            question_set=questions,
            adapter=taught.adapter,
            title=arm.title,
            overrides=arm.evaluation,
        )
    run.add(
        ablation,
        "Table",
        evaluations=dsl.Collected(prompted.outputs["evaluation"]),
        more_evaluations=dsl.Collected(trained.outputs["evaluation"]),
        adapters=dsl.Collected(taught.tuned),
        more_adapters=dsl.Collected(taught.adapter),
    )
