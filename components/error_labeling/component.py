"""The KFP face of error labeling."""

from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Metrics, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("error_labeling"), install_kfp_package=False, additional_funcs=[check_image])
def error_labeling(
    traces: Input[list[Dataset]],
    settings: str,
    artifact_store: str,
    labeled: Output[Dataset],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    report: Output[HTML],
    trajectories: Input[Dataset] = None,
    overrides: str = "{}",
    question_set: Input[Dataset] = None,
) -> None:
    """Label each assistant turn with its error category and choose the turns to train on.

    Args:
        traces: Artifacts traces/1, one a shard.
        settings: Canonical JSON of components.error_labeling.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        labeled: Artifact labeled_traces/1.
        metrics: Counts of traces kept and of errors by category.
        classification: The classifier of feedback, from the text alone, against the services' codes.
        report: The error mix over calls and traces, and what became of every trace and turn.
        trajectories: Artifact traces/1 of dialogues that the user brought; absent, there are none.
        overrides: JSON object merged over the settings: what one arm of an ablation does otherwise.
        question_set: Artifact questions/1: what the run is judged by, which no trace may hold; absent, nothing is compared.
    """
    check_image("error_labeling", locals())
    from components.error_labeling.run import run

    run(
        traces=traces,
        settings=settings,
        artifact_store=artifact_store,
        labeled=labeled,
        metrics=metrics,
        classification=classification,
        report=report,
        trajectories=trajectories,
        overrides=overrides,
        question_set=question_set,
    )
