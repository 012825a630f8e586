"""The KFP face of ingest."""

from kfp import dsl
from kfp.dsl import Dataset, Markdown, Metrics, Output

from components.contracts.images import image


@dsl.component(base_image=image("ingest"), install_kfp_package=False)
def ingest(
    questions: str,
    settings: str,
    artifact_store: str,
    question_set: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[Markdown],
) -> list[int]:
    """Turn users' files into a question set, split by subject with a fixed seed.

    Args:
        questions: File or URI of the questions, local or s3://.
        settings: Canonical JSON of components.ingest.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        question_set: Artifact questions/1: training and held-out questions, and what was quarantined.
        metrics: Counts of questions read, kept and quarantined.
        report: The same for people, with the reasons.

    Returns:
        The numbers of the shards that trace generation works on, 0 to shards - 1.
    """
    from components.ingest.run import run

    return run(questions, settings, artifact_store, question_set, metrics, report)
