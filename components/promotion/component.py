"""The KFP face of promotion."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Markdown, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("promotion"), install_kfp_package=False, additional_funcs=[check_image])
def promotion(
    before: Input[Dataset],
    after: Input[Dataset],
    adapter: Input[Model],
    labeled: Input[Dataset],
    settings: str,
    artifact_store: str,
    comparison: Output[Dataset],
    model_card: Output[Markdown],
    metrics: Output[Metrics],
    report: Output[HTML],
    between: Input[Dataset] = None,
    without_tools: Input[Dataset] = None,
    regression_before: Input[Dataset] = None,
    regression_after: Input[Dataset] = None,
) -> str:
    """Compare the two evaluations by paired bootstrap, suite by suite, and decide whether the adapter is promoted.

    Args:
        before: Artifact evaluation/1 of the policy that went in.
        after: Artifact evaluation/1 of the policy that came out, on the same items.
        adapter: Artifact adapter/1 that is decided on.
        labeled: Artifact labeled_traces/1 that it was trained on, for the report.
        settings: Canonical JSON of components.promotion.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        comparison: Artifact comparison/1: summary.json, report.html and model_card.md.
        model_card: What the adapter is, how it was made and how it did.
        metrics: Differences and the gate's verdict.
        report: The whole comparison for people, self-contained.
        between: Artifact evaluation/1 of the policy on the way, such as after SFT and before PPO; shown beside.
        without_tools: Artifact evaluation/1 of the base model without tools; tells when tools help.
        regression_before: Artifact evaluation/1 of the regression stage, of the policy that went in.
        regression_after: Artifact evaluation/1 of the regression stage, of the policy that came out.

    Returns:
        "promoted" or "kept back".
    """
    check_image("promotion", locals())
    from components.promotion.run import run

    return run(
        before=before,
        after=after,
        adapter=adapter,
        labeled=labeled,
        settings=settings,
        artifact_store=artifact_store,
        comparison=comparison,
        model_card=model_card,
        metrics=metrics,
        report=report,
        between=between,
        without_tools=without_tools,
        regression_before=regression_before,
        regression_after=regression_after,
    )
