"""The KFP face of the judge between rounds."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("rounds"), install_kfp_package=False, additional_funcs=[check_image])
def rounds(
    evaluation: Input[Dataset],
    adapter: Input[Model],
    labeled: Input[Dataset],
    base: Input[Dataset],
    settings: str,
    artifact_store: str,
    history: Output[Dataset],
    best: Output[Model],
    best_labeled: Output[Dataset],
    best_evaluation: Output[Dataset],
    next_adapter: Output[Model],
    metrics: Output[Metrics],
    report: Output[HTML],
    earlier: Input[Dataset] = None,
    best_so_far: Input[Model] = None,
    best_labeled_so_far: Input[Dataset] = None,
    best_evaluation_so_far: Input[Dataset] = None,
    method: str = "",
    title: str = "",
    noun: str = "round",
) -> str:
    """Judge one round against those before it; once one hurt or had nothing to train on, later ones hand on.

    Args:
        evaluation: Artifact evaluation/1 of this round's adapter, on the validation split.
        adapter: Artifact adapter/1 of this round.
        labeled: Artifact labeled_traces/1 that this round practised on.
        base: Artifact evaluation/1 of the base model, on the same questions.
        settings: Canonical JSON of components.rounds.settings.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        history: Artifact rounds/1: a record of each round so far, summary.json and report.html.
        best: Artifact adapter/1 of the best round so far, unchanged.
        best_labeled: Artifact labeled_traces/1 that the best round practised on, unchanged.
        best_evaluation: Artifact evaluation/1 of the best round, unchanged.
        next_adapter: Artifact adapter/1 that the next round begins with, unchanged.
        metrics: Accuracy, tool use, diversity and mean -log p of sampled tokens by round.
        report: The same for people: a plot over the rounds, alarms and a table, self-contained.
        earlier: Artifact rounds/1 of the round before; absent in the first.
        best_so_far: Artifact adapter/1 that the round before gave out as best; absent in the first, as all below.
        best_labeled_so_far: Artifact labeled_traces/1 that the round before gave out as best_labeled.
        best_evaluation_so_far: Artifact evaluation/1 that the round before gave out as best_evaluation.
        method: Ways of training of this round; "none" when an earlier round ended them.
        title: What reports call this round, such as "iteration 2"; empty for "round 2" by its number.
        noun: What reports call rounds, such as "iteration".

    Returns:
        The method of the next round: this round's, or "none" once rounds ended.
    """
    check_image("rounds", locals())
    from components.rounds.run import run

    return run(
        evaluation=evaluation,
        adapter=adapter,
        labeled=labeled,
        base=base,
        settings=settings,
        artifact_store=artifact_store,
        history=history,
        best=best,
        best_labeled=best_labeled,
        best_evaluation=best_evaluation,
        next_adapter=next_adapter,
        metrics=metrics,
        report=report,
        earlier=earlier,
        best_so_far=best_so_far,
        best_labeled_so_far=best_labeled_so_far,
        best_evaluation_so_far=best_evaluation_so_far,
        method=method,
        title=title,
        noun=noun,
    )
