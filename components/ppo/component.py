"""The KFP face of PPO."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("ppo"), install_kfp_package=False, additional_funcs=[check_image])
def ppo(
    labeled: Input[Dataset],
    base_model: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    adapter: Output[Model],
    metrics: Output[Metrics],
    report: Output[HTML],
    initial: Input[Model] = None,
    method: str = "",
) -> None:
    """Improve the policy by PPO on a reward for the errors of its tool calls.

    Args:
        labeled: Artifact labeled_traces/1, whose faultless calls are the golds.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        settings: Canonical JSON of components.ppo.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        checkpoint_root: s3:// prefix or folder for checkpoints; empty keeps none.
        adapter: Artifact adapter/1.
        metrics: Rewards, divergence, losses and kinds of error, at the beginning and the end.
        report: Their curves, and the settings.
        initial: Artifact adapter/1 to begin with, which is the reference too; absent, the base model.
        method: Ways of training that the run uses; without ppo in it, initial is handed on.
    """
    check_image("ppo", locals())
    from components.ppo.run import run

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
        method=method,
    )
