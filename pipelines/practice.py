"""Trace generation in shards, as a pipeline inside a pipeline.

KFP 2.17 can't hand what one loop collected into another loop (`dsl.Collected` fails to compile there), and
kfp.local gives a loop's item to every parameter inside that a task outside made; what an inner pipeline takes
and gives it can hand on.
"""

import inspect
from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Model

from components.trace_generation.component import trace_generation
from pipelines.resources import Placement, equip, read_resources


def practising(name: str, *, with_adapter: bool = False) -> Any:
    """The pipeline, its stage shown under a name; to be made outside of the one that it goes into.

    with_adapter: it takes the adapter to practise with. An input that may be absent can't go into a loop.
    """

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
        registry_secret: str,
        method: str,
        adapter: dsl.Input[Model] = None,
    ) -> list[Dataset]:
        """Let the policy answer every shard of the training questions; gives the traces, one artifact a shard."""
        placement = Placement(
            accelerator_type,
            node_selector,
            tolerations,
            store_secret,
            tools_secret,
            model_secret,
            registry_secret,
        )
        given = {"adapter": adapter} if with_adapter else {}
        with dsl.ParallelFor(shards, name="shards") as shard:
            generated = trace_generation(
                question_set=question_set,
                base_model=base_model,
                tools_url=tools_url,
                settings=settings,
                artifact_store=artifact_store,
                shard=shard,
                method=method,
                **given,
            )
            equip(
                generated,
                name,
                read_resources()["trace_generation"],
                placement,
                stage="trace_generation",
                image=image,
                accelerators=accelerators,
            )
        traces: list[Dataset] = dsl.Collected(generated.outputs["traces"])
        return traces

    declared = inspect.signature(practice)
    *needed, last = declared.parameters.values()
    needed += [last.replace(default=inspect.Parameter.empty)] if with_adapter else []
    practice.__signature__ = declared.replace(parameters=needed)  # type: ignore[attr-defined]
    return dsl.pipeline(name="practice", display_name="Practice")(practice)
