"""The KFP face of the ablation's table."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Markdown, Metrics, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("ablation"), install_kfp_package=False)
def ablation(
    evaluations: Input[list[Dataset]],
    more_evaluations: Input[list[Dataset]],
    adapters: Input[list[Model]],
    more_adapters: Input[list[Model]],
    settings: str,
    artifact_store: str,
    comparison: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[HTML],
    table: Output[Markdown],
    base: Input[Dataset] = None,
    without_tools: Input[Dataset] = None,
) -> None:
    """Put the evaluations of all arms into one table, each against the reference row.

    Args:
        evaluations: Artifacts evaluation/1, one a row; known by their titles, never by their order.
        more_evaluations: Further ones, such as those of a second training in each arm.
        adapters: Artifacts adapter/1 of the first training, for how far each moved.
        more_adapters: Artifacts adapter/1 of the second training, likewise.
        settings: Canonical JSON of components.ablation.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        comparison: Artifact ablation/1: summary.json and report.html.
        metrics: The rates of every row, and how far its adapter moved.
        report: The table for people, with intervals, self-contained.
        table: The same, short, as Markdown.
        base: Artifact evaluation/1 of the base model itself, a row above the others; absent, it is one of them.
        without_tools: Artifact evaluation/1 of the base model without tools; tells when tools help.
    """
    from components.ablation.run import run

    inputs = (evaluations, more_evaluations, adapters, more_adapters, settings, artifact_store)
    run(*inputs, comparison, metrics, report, table, base, without_tools)
