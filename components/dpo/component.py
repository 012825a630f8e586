"""The KFP face of preference tuning."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("dpo"), install_kfp_package=False, additional_funcs=[check_image])
def dpo(
    pairs: Input[Dataset],
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
    """Tune the policy to prefer each pair's chosen continuation, measured against the policy that came in.

    Args:
        pairs: Artifact preference_pairs/1.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        settings: Canonical JSON of components.dpo.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        checkpoint_root: s3:// prefix or folder for checkpoints; empty keeps none.
        adapter: Artifact adapter/1.
        metrics: Loss, reward margin and accuracy, pairs used and dropped.
        report: Their curves, and the settings.
        initial: Artifact adapter/1 to go on from, which is the reference too; absent, the base model.
        overrides: JSON object whose keys override those of settings.
        method: Ways of training that the run uses; without dpo in it, initial is handed on.
    """
    check_image("dpo", locals())
    from components.dpo.run import run

    run(
        pairs=pairs,
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
