"""The KFP face of the ablation's table."""

from typing import Any

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Markdown, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("ablation"), install_kfp_package=False, additional_funcs=[check_image])
def ablation(
    settings: str,
    artifact_store: str,
    comparison: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[HTML],
    table: Output[Markdown],
    evaluations: Input[list[Dataset]] = None,
    more_evaluations: Input[list[Dataset]] = None,
    adapters: Input[list[Model]] = None,
    more_adapters: Input[list[Model]] = None,
    base: Input[Dataset] = None,
    without_tools: Input[Dataset] = None,
    overrides: str = "{}",
    evaluation_1: Input[Dataset] = None,
    evaluation_2: Input[Dataset] = None,
    evaluation_3: Input[Dataset] = None,
    evaluation_4: Input[Dataset] = None,
    evaluation_5: Input[Dataset] = None,
    evaluation_6: Input[Dataset] = None,
    evaluation_7: Input[Dataset] = None,
    evaluation_8: Input[Dataset] = None,
    adapter_1: Input[Model] = None,
    adapter_2: Input[Model] = None,
    adapter_3: Input[Model] = None,
    adapter_4: Input[Model] = None,
    adapter_5: Input[Model] = None,
    adapter_6: Input[Model] = None,
    adapter_7: Input[Model] = None,
    adapter_8: Input[Model] = None,
) -> None:
    """Put the evaluations of all arms into one table, each against the reference row.

    Rows come as lists that a loop gave, or one by one: KFP makes no list of what single tasks gave.

    Args:
        settings: Canonical JSON of components.ablation.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        comparison: Artifact ablation/1: summary.json and report.html.
        metrics: The rates of every row, and how far its adapter moved.
        report: The table for people, with intervals, self-contained.
        table: The same, short, as Markdown.
        evaluations: Artifacts evaluation/1, one a row; known by their titles, never by their order.
        more_evaluations: Further ones, such as those of a second training in each arm.
        adapters: Artifacts adapter/1 of the first training, for how far each moved.
        more_adapters: Artifacts adapter/1 of the second training, likewise.
        base: Artifact evaluation/1 of the base model itself, a row above the others; absent, it is one of them.
        without_tools: Artifact evaluation/1 of the base model without tools; tells when tools help.
        overrides: JSON object whose keys override those of settings.
        evaluation_1: Artifact evaluation/1 of one row, like the next seven.
        evaluation_2: The same.
        evaluation_3: The same.
        evaluation_4: The same.
        evaluation_5: The same.
        evaluation_6: The same.
        evaluation_7: The same.
        evaluation_8: The same.
        adapter_1: Artifact adapter/1 of one training, like the next seven.
        adapter_2: The same.
        adapter_3: The same.
        adapter_4: The same.
        adapter_5: The same.
        adapter_6: The same.
        adapter_7: The same.
        adapter_8: The same.
    """
    first, more = (evaluation_1, evaluation_2, evaluation_3, evaluation_4), (evaluation_5, evaluation_6)
    rows = [*(evaluations or ()), *filter(None, (*first, *more, evaluation_7, evaluation_8))]
    trained = (adapter_1, adapter_2, adapter_3, adapter_4, adapter_5, adapter_6, adapter_7, adapter_8)
    given: dict[str, Any] = {
        "evaluations": rows,
        "more_evaluations": more_evaluations or (),
        "adapters": [*(adapters or ()), *filter(None, trained)],
        "more_adapters": more_adapters or (),
        "settings": settings,
        "artifact_store": artifact_store,
        "comparison": comparison,
        "metrics": metrics,
        "report": report,
        "table": table,
        "base": base,
        "without_tools": without_tools,
        "overrides": overrides,
    }
    check_image("ablation", given)
    from components.ablation.run import run

    run(**given)
