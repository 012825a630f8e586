"""The KFP face of the preference pairs."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("preferences"), install_kfp_package=False, additional_funcs=[check_image])
def preferences(
    labeled: Input[Dataset],
    settings: str,
    artifact_store: str,
    pairs: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[HTML],
    kind: str = "",
    method: str = "",
) -> None:
    """Pair traces of the same question: right with a tool over wrong without one.

    Args:
        labeled: Artifact labeled_traces/1.
        settings: Canonical JSON of components.preferences.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        pairs: Artifact preference_pairs/1.
        metrics: Counts of pairs, and of what became of traces and questions.
        report: Counts by reason and a few pairs side by side.
        kind: response, conversation or masked_conversation; empty leaves it to the settings.
        method: The run's ways of training; without dpo in it no pair is made. Empty: pairs are made.
    """
    check_image("preferences", locals())
    from components.preferences.run import run

    run(
        labeled=labeled,
        settings=settings,
        artifact_store=artifact_store,
        pairs=pairs,
        metrics=metrics,
        report=report,
        kind=kind,
        method=method,
    )
