"""The KFP face of ingest."""

from kfp import dsl
from kfp.dsl import Dataset, Markdown, Metrics, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("ingest"), install_kfp_package=False, additional_funcs=[check_image])
def ingest(
    questions: str,
    settings: str,
    artifact_store: str,
    question_set: Output[Dataset],
    trajectories: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[Markdown],
    validation: bool = False,
) -> list[int]:
    """Turn users' files into a question set and trajectories, split by subject with a fixed seed.

    Args:
        questions: Files or URIs of questions, golds or trajectories, local, s3:// or demo://.
        settings: Canonical JSON of components.ingest.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        question_set: Artifact questions/1: training, validation and held-out questions, and what was quarantined.
        trajectories: Artifact traces/1: what users' rows say a model did with tools, for training.
        metrics: Counts of rows read, kept and quarantined.
        report: The same for people, with the reasons.
        validation: Set some of the training subjects aside, to choose among policies by.

    Returns:
        The numbers of the shards that trace generation works on, 0 to shards - 1.
    """
    check_image("ingest", locals())
    from components.ingest.run import run

    return run(
        questions=questions,
        settings=settings,
        artifact_store=artifact_store,
        question_set=question_set,
        trajectories=trajectories,
        metrics=metrics,
        report=report,
        validation=validation,
    )
