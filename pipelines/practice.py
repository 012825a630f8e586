"""Trace generation in shards, as a pipeline inside a pipeline.

KFP 2.17 can't hand what one loop collected into another loop (`dsl.Collected` fails to compile there);
the list that an inner pipeline gives back it can.
"""

from kfp import dsl
from kfp.dsl import Dataset

from components.trace_generation.component import trace_generation
from pipelines.resources import Placement, equip, read_resources


@dsl.pipeline(name="practice", display_name="Practice")
def practice(
    question_set: dsl.Input[Dataset],
    shards: list[int],
    base_model: str,
    tools_url: str,
    settings: str,
    artifact_store: str,
    image: str,
    accelerators: str,
    accelerator_type: str,
    node_selector: dict[str, str],
    tolerations: list[dict[str, str]],
    store_secret: str,
    tools_secret: str,
    model_secret: str,
) -> list[Dataset]:
    """Let the policy answer every shard of the training questions; gives the traces, one artifact a shard."""
    placement = Placement(
        accelerator_type, node_selector, tolerations, store_secret, tools_secret, model_secret
    )
    with dsl.ParallelFor(shards, name="shards") as shard:
        generated = trace_generation(
            question_set=question_set,
            base_model=base_model,
            tools_url=tools_url,
            settings=settings,
            artifact_store=artifact_store,
            shard=shard,
        )
        equip(
            generated,
            "Trace generation",
            read_resources()["trace_generation"],
            placement,
            image=image,
            accelerators=accelerators,
        )
    traces: list[Dataset] = dsl.Collected(generated.outputs["traces"])
    return traces
