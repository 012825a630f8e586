"""Steps that several pipelines of self-training share: learning from traces, and proving what came of it."""

from dataclasses import dataclass
from typing import Any

from kfp import dsl
from kfp.dsl import PipelineTask

from components.dpo.component import dpo
from components.evaluation.component import evaluation
from components.preferences.component import preferences
from components.promotion.component import promotion
from components.publication.component import publication
from components.regression.component import regression
from components.sft.component import sft
from pipelines.tasks import Run


@dataclass(frozen=True)
class Taught:
    """What came of learning: the labeled traces, SFT's adapter, and DPO's, which is the policy now."""

    labeled: Any
    tuned: Any
    adapter: Any


def teach(
    run: Run,
    ingested: PipelineTask,
    traces: Any,
    *,
    stage_names: str = "{}",
    initial: Any = None,
    method: Any = None,
    kind: Any = None,
    labeling: Any = None,
) -> Taught:
    """Add error labeling -> preference pairs, SFT -> DPO; a training that `method` leaves out hands its adapter on.

    stage_names: shows where in the run they are, such as "Round 2: {}". initial: adapter to go on from.
    method, kind: in place of the run's own. labeling: overrides of error labeling.
    """
    labeled = run.label(ingested, traces, name=stage_names.format("Error labeling"), overrides=labeling)
    pairs = run.add(
        preferences, stage_names.format("Preference pairs"), labeled=labeled, method=method, kind=kind
    ).outputs["pairs"]
    tuned = run.add(sft, stage_names.format("SFT"), labeled=labeled, initial=initial, method=method).outputs[
        "adapter"
    ]
    preferred = run.add(dpo, stage_names.format("DPO"), pairs=pairs, initial=tuned, method=method).outputs[
        "adapter"
    ]
    return Taught(labeled, tuned, preferred)


def prove(run: Run, ingested: PipelineTask, taught: Taught, title: str) -> None:
    """Add the held-out evaluations before, after and without tools, and promotion of `taught.adapter`.

    title: what reports call the policy that came out.
    """
    questions = ingested.outputs["question_set"]
    before = run.add(evaluation, "Evaluation before", question_set=questions, title="base model")
    after = run.add(
        evaluation, "Evaluation after", question_set=questions, adapter=taught.adapter, title=title
    )
    without_tools = run.add(
        evaluation,
        "Evaluation without tools",
        question_set=questions,
        title="base model without tools",
        without_tools=True,
    )
    promote(
        run,
        before=before.outputs["evaluation"],
        after=after.outputs["evaluation"],
        adapter=taught.adapter,
        labeled=taught.labeled,
        without_tools=without_tools.outputs["evaluation"],
    )


def promote(run: Run, *, adapter: Any, **compared: Any) -> None:
    """Add promotion of `adapter`, and its publication, which runs only when promotion says so.

    compared: promotion's other inputs. In a pipeline with regression, that of the base model and of `adapter` too.
    """
    if "regression_settings" in run.given:
        before = run.add(regression, "Regression before", title="base model")
        after = run.add(regression, "Regression after", adapter=adapter, title="after")
        compared |= {
            "regression_before": before.outputs["evaluation"],
            "regression_after": after.outputs["evaluation"],
        }
    decided = run.add(promotion, "Promotion", adapter=adapter, **compared)
    # kfp.local reads no condition whose value has quotes in it, and this one has none.
    with dsl.If(decided.outputs["Output"] == "promoted", name="promoted"):
        published = run.add(
            publication, "Publication", adapter=adapter, comparison=decided.outputs["comparison"]
        )
        published.set_caching_options(False)  # what was published may have been deleted since
