"""The KFP face of the search."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("mcts"), install_kfp_package=False, additional_funcs=[check_image])
def mcts(
    question_set: Input[Dataset],
    base_model: str,
    tools_url: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    pairs: Output[Dataset],
    trees: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[HTML],
    adapter: Input[Model] = None,
    overrides: str = "{}",
    method: str = "",
) -> None:
    """Search the hardest questions' answers step by step, and pair the best and the worst next step.

    Args:
        question_set: Artifact questions/1.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        tools_url: Address of the tools service; empty where all questions bring their tools and none is executed.
        settings: Canonical JSON of components.mcts.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        checkpoint_root: s3:// prefix or folder that keeps finished trees; empty keeps none.
        pairs: Artifact preference_pairs/1, of kind step.
        trees: Artifact trees/1: the finished trees, and the buffer that their questions came from.
        metrics: Trees, simulations, expansions, pairs, and what was dropped by reason.
        report: The trees to unfold.
        adapter: Artifact adapter/1 of the policy that searches; absent, the base model.
        overrides: JSON object whose keys override those of settings.
        method: Ways of training that the run uses; without mcts in it, there are no trees and no pairs.
    """
    check_image("mcts", locals())
    from components.mcts.run import run

    run(
        question_set=question_set,
        base_model=base_model,
        tools_url=tools_url,
        settings=settings,
        artifact_store=artifact_store,
        checkpoint_root=checkpoint_root,
        pairs=pairs,
        trees=trees,
        metrics=metrics,
        report=report,
        adapter=adapter,
        overrides=overrides,
        method=method,
    )
