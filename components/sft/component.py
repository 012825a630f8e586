"""The KFP face of supervised fine-tuning."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("sft"), install_kfp_package=False)
def sft(
    labeled: Input[Dataset],
    base_model: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    adapter: Output[Model],
    metrics: Output[Metrics],
    report: Output[HTML],
    initial: Input[Model] = None,
    overrides: str = "{}",
    method: str = "",
) -> None:
    """Fine-tune the policy on the labeled traces; masked turns and tool replies carry no loss.

    Args:
        labeled: Artifact labeled_traces/1.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        settings: Canonical JSON of components.sft.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        checkpoint_root: s3:// prefix or folder for checkpoints; empty keeps none.
        adapter: Artifact adapter/1.
        metrics: Loss, tokens and steps.
        report: Loss curve and settings.
        initial: Artifact adapter/1 to go on from; absent, training starts at the base model.
        overrides: JSON object whose keys override those of settings.
        method: Ways of training that the run uses; without sft in it, initial is handed on.
    """
    from components.sft.run import run

    run(
        labeled,
        base_model,
        settings,
        artifact_store,
        checkpoint_root,
        adapter,
        metrics,
        report,
        initial,
        overrides,
        method,
    )
