"""The KFP face of the ablation's table."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Markdown, Metrics, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("ablation"), install_kfp_package=False)
def ablation(
    base: Input[Dataset],
    without_ppo: Input[list[Dataset]],
    with_ppo: Input[list[Dataset]],
    sft_adapters: Input[list[Model]],
    ppo_adapters: Input[list[Model]],
    settings: str,
    artifact_store: str,
    comparison: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[HTML],
    table: Output[Markdown],
) -> None:
    """Put the evaluations of all arms into one table, each against the arm without any component.

    Args:
        base: Artifact evaluation/1 of the base model itself.
        without_ppo: Artifacts evaluation/1 of the policies after SFT, one an arm.
        with_ppo: Artifacts evaluation/1 of the policies after PPO, one an arm.
        sft_adapters: Artifacts adapter/1 of SFT, for how far each moved.
        ppo_adapters: Artifacts adapter/1 of PPO, likewise.
        settings: Canonical JSON of components.ablation.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        comparison: Artifact ablation/1: summary.json and report.html.
        metrics: The rates of every row, and how far its adapter moved.
        report: The table for people, with intervals, self-contained.
        table: The same, short, as Markdown.
    """
    from components.ablation.run import run

    evaluations, adapters = (base, without_ppo, with_ppo), (sft_adapters, ppo_adapters)
    run(*evaluations, *adapters, settings, artifact_store, comparison, metrics, report, table)
