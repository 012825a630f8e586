"""Self-training without demonstrations: the policy practises with the tools and learns from what worked.

preflight -> ingest -> trace generation (sharded) -> error labeling -> preference pairs -> SFT -> DPO, with the
same evaluation before and after and of the base model without tools, and promotion at the end. The parameter
`method` says which of SFT and DPO train. Trajectories that the user brings are labeled and trained too.
"""

from pipelines.declare import KIND, METHOD, PUBLISH, declared
from pipelines.steps import prove, teach
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
    "promotion",
)


@declared("self-training", "Whetstone: self-training", STAGES, PUBLISH, METHOD, KIND)
def self_training(run: Run) -> None:
    """Teach a model to use tools by its own practice, and prove it with the same evaluation before and after."""
    ingested = run.prepare()
    traces = run.practise(ingested)
    taught = teach(run, ingested, traces)
    prove(run, ingested, taught, title=f"after {run.given['method']}")
