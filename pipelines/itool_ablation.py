"""iTool's ablations in one table: without the warm-up, without the iterated stage, other shares, less data.

preflight -> ingest -> trace generation (of the questions that have no gold) -> error labeling -> warm-up SFT, and
from it one iteration (search -> DPO) for each alpha; the same iteration from the base model; warm-up and iteration
again on a quarter and on half of the data. Every policy is judged on the same held-out questions.
"""

import json
from typing import Any

from kfp import dsl

from components.ablation.component import ablation
from components.evaluation.component import evaluation
from components.sft.component import sft
from pipelines.declare import declared
from pipelines.iterations import search_and_tune
from pipelines.tasks import Run

# The stages with settings, in the order in which they run.
STAGES = (
    "preflight",
    "ingest",
    "trace_generation",
    "error_labeling",
    "sft",
    "mcts",
    "dpo",
    "evaluation",
    "ablation",
)
PAPER = "itool"
WARM_UP, WHOLE, COLD = "warm-up", "iTool", "without warm-up"
PAPERS_SHARE = 0.2  # of the pool that is searched


def _searched(**settings: float) -> str:
    """JSON that is laid over the search's settings."""
    return json.dumps({"alpha": PAPERS_SHARE} | settings, separators=(",", ":"))


# Rows of one iteration, and how each searches.
SHARES = {WHOLE: _searched()} | {f"alpha {share}": _searched(alpha=share) for share in (0.1, 0.3)}
# KFP takes a key called "name" for its own.
PARTS = [
    {
        "title": f"{WARM_UP}, {title} data",
        "title_after": f"{WHOLE}, {title} data",
        "trained": json.dumps({"data_share": share}, separators=(",", ":")),
        "searched": _searched(data_share=share),
    }
    for title, share in {"1/4": 0.25, "1/2": 0.5}.items()
]
TABLE = {
    "rows": [WARM_UP, *SHARES, COLD, *(part[title] for part in PARTS for title in ("title", "title_after"))],
    "reference": WHOLE,
    "title": "What each part of iTool does",
    "explanation": "iTool is the warm-up (SFT from easy to hard) and one iteration (search among the hardest fifth, DPO); "
    "warm-up alone is iTool without its iterated stage. Parts of the data are parts of both.",
}


@declared("itool-ablation", "Whetstone: iTool's ablations", STAGES, preset=PAPER)
def itool_ablation(run: Run) -> None:
    """Measure what each part of iTool does: nine policies, one table."""
    ingested = run.prepare()
    questions = ingested.outputs["question_set"]
    labeled = run.label(ingested, run.practise(ingested))

    def iterate(name: str, start: Any, searching: Any) -> Any:
        return search_and_tune(run, ingested, start, stage_names=f"{name}: {{}}", searching=searching)

    def judge(name: str, adapter: Any, title: Any) -> Any:
        return run.add(evaluation, name, question_set=questions, adapter=adapter, title=title).outputs[
            "evaluation"
        ]

    warm = run.add(sft, "Warm-up SFT", labeled=labeled).outputs["adapter"]
    adapters = {WARM_UP: warm}
    adapters |= {title: iterate(title, warm, overrides) for title, overrides in SHARES.items()}
    adapters[COLD] = iterate("Without warm-up", None, SHARES[WHOLE])
    rows = {title: judge(f"Evaluation of {title}", adapter, title) for title, adapter in adapters.items()}

    with dsl.ParallelFor(PARTS, name="parts") as part:
        tuned = run.add(sft, "Warm-up SFT on a part", labeled=labeled, overrides=part.trained).outputs[
            "adapter"
        ]
        improved = iterate("A part", tuned, part.searched)
        before = judge("Evaluation of a part's warm-up", tuned, part.title)
        after = judge("Evaluation of a part", improved, part.title_after)

    run.add(
        ablation,
        "Table",
        overrides=json.dumps(TABLE),
        base=judge("Evaluation of the base model", None, "base model"),
        evaluations=dsl.Collected(before),
        more_evaluations=dsl.Collected(after),
        adapters=dsl.Collected(tuned),
        more_adapters=dsl.Collected(improved),
        **{f"evaluation_{place}": row for place, row in enumerate(rows.values(), start=1)},
        **{f"adapter_{place}": adapter for place, adapter in enumerate(adapters.values(), start=1)},
    )
