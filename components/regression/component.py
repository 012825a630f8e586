"""The KFP face of regression."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("regression"), install_kfp_package=False, additional_funcs=[check_image])
def regression(
    base_model: str,
    settings: str,
    artifact_store: str,
    evaluation: Output[Dataset],
    metrics: Output[Metrics],
    adapter: Input[Model] = None,
    title: str = "",
) -> None:
    """Run MMLU, GSM8K or HumanEval by lm-evaluation-harness, item by item, to see what training cost elsewhere.

    Args:
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        settings: Canonical JSON of components.regression.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        evaluation: Artifact evaluation/1: a judged item for each of the tasks' rows, and the summary; no traces.
        metrics: Questions and accuracy of each task.
        adapter: Artifact adapter/1 to put on the base model; absent, the base model itself.
        title: What reports call this policy; empty names its model and adapter.
    """
    check_image("regression", locals())
    from components.regression.run import run

    run(
        base_model=base_model,
        settings=settings,
        artifact_store=artifact_store,
        evaluation=evaluation,
        metrics=metrics,
        adapter=adapter,
        title=title,
    )
