"""The KFP face of supervised fine-tuning."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("sft"), install_kfp_package=False, additional_funcs=[check_image])
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
    check_image("sft", locals())
    from components.sft.run import run

    run(
        labeled=labeled,
        base_model=base_model,
        settings=settings,
        artifact_store=artifact_store,
        checkpoint_root=checkpoint_root,
        adapter=adapter,
        metrics=metrics,
        report=report,
        initial=initial,
        overrides=overrides,
        method=method,
    )
