"""The KFP face of publication."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("publication"), install_kfp_package=False, additional_funcs=[check_image])
def publication(
    adapter: Input[Model],
    comparison: Input[Dataset],
    publish_to: str,
    artifact_store: str,
    report: Output[Markdown],
) -> str:
    """Publish a promoted adapter with its model card, in a folder named by its content.

    Args:
        adapter: Artifact adapter/1 that was promoted.
        comparison: Artifact comparison/1 of promotion, with the decision and the model card.
        publish_to: s3:// prefix or folder to publish to; empty publishes nothing.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        report: Where it was published, or that it was not.

    Returns:
        Where the adapter lies now; empty when it was published nowhere.
    """
    check_image("publication", locals())
    from components.publication.run import run

    return run(
        adapter=adapter,
        comparison=comparison,
        publish_to=publish_to,
        artifact_store=artifact_store,
        report=report,
    )
