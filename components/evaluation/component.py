"""The KFP face of evaluation."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("evaluation"), install_kfp_package=False, additional_funcs=[check_image])
def evaluation(
    question_set: Input[Dataset],
    base_model: str,
    tools_url: str,
    settings: str,
    artifact_store: str,
    evaluation: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[HTML],
    adapter: Input[Model] = None,
    title: str = "",
    split: str = "",
    without_tools: bool = False,
    earlier: Input[Dataset] = None,
    overrides: str = "{}",
    checkpoint_root: str = "",
) -> None:
    """Judge the policy on the held-out questions and the suites, item by item; those with gold calls on one turn.

    Args:
        question_set: Artifact questions/1.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        tools_url: Address of the tools service, http(s)://host:port; empty where no question needs it.
        settings: Canonical JSON of components.evaluation.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        evaluation: Artifact evaluation/1: every judged item, its trace, and the summary.
        metrics: Accuracy, exact match and the rates; TS, PI and CF where questions have gold calls.
        report: The same by kind and tool, with the error mix and where calls go wrong.
        adapter: Artifact adapter/1 to put on the base model; absent, the base model itself.
        title: What reports call this policy; empty names its model and adapter.
        split: held_out, validation or train, in place of the settings' own; empty leaves that.
        without_tools: Offer no tools to any question, in the settings' no_tool_variant.
        earlier: Artifact evaluation/1 that is handed on when it is what would be made here.
        overrides: JSON of settings to change for this run.
        checkpoint_root: s3:// prefix or folder that keeps finished traces; empty keeps none.
    """
    check_image("evaluation", locals())
    from components.evaluation.run import run

    run(
        question_set=question_set,
        base_model=base_model,
        tools_url=tools_url,
        settings=settings,
        artifact_store=artifact_store,
        evaluation=evaluation,
        metrics=metrics,
        report=report,
        adapter=adapter,
        title=title,
        split=split,
        without_tools=without_tools,
        earlier=earlier,
        overrides=overrides,
        checkpoint_root=checkpoint_root,
    )
