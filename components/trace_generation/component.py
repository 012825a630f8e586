"""The KFP face of trace generation."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(
    base_image=image("trace_generation"), install_kfp_package=False, additional_funcs=[check_image]
)
def trace_generation(
    question_set: Input[Dataset],
    base_model: str,
    tools_url: str,
    settings: str,
    artifact_store: str,
    shard: int,
    traces: Output[Dataset],
    metrics: Output[Metrics],
    adapter: Input[Model] = None,
    method: str = "",
) -> None:
    """Let the policy answer one shard of the training questions with the tools, several times each.

    Args:
        question_set: Artifact questions/1.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        tools_url: Address of the tools service, http(s)://host:port; empty where no question needs it.
        settings: Canonical JSON of components.trace_generation.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        shard: Which shard of the training questions to work on, from 0.
        traces: Artifact traces/1.
        metrics: Counts of traces, calls and failures.
        adapter: Artifact adapter/1 to put on the base model; absent, the base model itself.
        method: The run's ways of training; with `none` nothing is sampled and the traces are empty.
    """
    check_image("trace_generation", locals())
    from components.trace_generation.run import run

    run(
        question_set=question_set,
        base_model=base_model,
        tools_url=tools_url,
        settings=settings,
        artifact_store=artifact_store,
        shard=shard,
        traces=traces,
        metrics=metrics,
        adapter=adapter,
        method=method,
    )
