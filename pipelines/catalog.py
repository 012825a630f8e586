"""The pipelines by name, and what the command line and a local run must know about each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue


@dataclass(frozen=True)
class Shown:
    """An artifact that the run's folder shows to people: output of a task, by KFP's names.

    task: of several of that stage (`rounds`, `rounds-2` ...) the last one's. folder: where its files go below the
    run's folder; empty puts them right there. Of several of one schema for one folder the last whose task the run
    has is shown. schema: empty for a page.
    """

    task: str
    output: str
    schema: str
    folder: str = ""


@dataclass(frozen=True)
class PipelineFacts:
    """preset: the stages' preset when a run names none; empty leaves them their defaults.

    demo_questions, demo_preset: what the word `preset=demo` stands for, with demo_settings laid over the
    preset: by stage, what this pipeline needs of it. rounds: how many the committed file has; 0 for a pipeline
    without, most_rounds: how many it can have at most. in_rounds: the pipeline that is this one several times.
    parts: what can be left out when compiling, by name: the stages that go with it. on_demand: stages that the
    committed file does not have.
    """

    demo_questions: str
    demo_preset: str
    shown: tuple[Shown, ...]
    preset: str = ""
    demo_settings: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    rounds: int = 0
    most_rounds: int = 32  # each adds up to eight tasks
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    on_demand: tuple[str, ...] = ()
    in_rounds: str = ""


_ITERATED = ("mcts", "dpo", "rounds")  # DPO has no pairs without the search, which is of no use without DPO
_SEARCHED: Mapping[str, JsonValue] = {"search_share": 0.25, "validation_share": 0.15}
_REGRESSION = ("regression",)  # two more evaluations for promotion, in an image that is large
COMPARISON = Shown("promotion", "comparison", "comparison/1")
TABLE = Shown("ablation", "comparison", "ablation/1")

PIPELINES: Mapping[str, PipelineFacts] = {
    "self_training": PipelineFacts(
        on_demand=_REGRESSION,
        demo_questions="demo://",
        demo_preset="demo",
        shown=(COMPARISON, Shown("dpo", "adapter", "adapter/1", "adapter")),
        in_rounds="self_training_rounds",
    ),
    "self_training_rounds": PipelineFacts(
        on_demand=_REGRESSION,
        demo_questions="demo://",
        demo_preset="demo",
        shown=(
            COMPARISON,
            Shown("rounds", "best", "adapter/1", "adapter"),
            Shown("rounds", "history", "rounds/1", "rounds"),
        ),
        rounds=3,
    ),
    "self_training_grid": PipelineFacts(
        demo_questions="demo://",
        demo_preset="demo",
        shown=(TABLE,),
        preset="self-training",
        # The arm that learns from traces without tools needs some; the other demos save their time. It is judged
        # under "cot", which its overrides say, and so is whatever else is asked without tools.
        demo_settings={
            "trace_generation": {"no_tool_samples": 3, "no_tool_variant": "cot"},
            "evaluation": {"no_tool_variant": "cot"},
        },
    ),
    "tl_training": PipelineFacts(
        on_demand=_REGRESSION,
        demo_questions="demo://calls",
        demo_preset="demo_calls",
        shown=(COMPARISON, Shown("ppo", "adapter", "adapter/1", "adapter")),
        preset="tl-training",
    ),
    "tl_ablation": PipelineFacts(
        demo_questions="demo://calls",
        demo_preset="demo_calls",
        shown=(TABLE,),
        preset="tl-training",
    ),
    "itool": PipelineFacts(
        on_demand=_REGRESSION,
        demo_questions="demo://calls",
        demo_preset="demo_calls",
        demo_settings={
            "ingest": _SEARCHED,
            "sft": {"curriculum": "easy_to_hard"},
            "ablation": {"preset": "itool"},
        },
        shown=(
            COMPARISON,
            Shown("ablation", "comparison", "ablation/1", "table"),
            Shown("rounds", "best", "adapter/1", "adapter"),
            Shown("rounds", "history", "rounds/1", "rounds"),
            Shown("mcts", "trees", "trees/1", "trees"),
            Shown("mcts", "report", "", "trees"),
        ),
        preset="itool",
        rounds=3,
        most_rounds=6,  # the table has eight rows
        parts={"control": ()},
    ),
    "itool_ablation": PipelineFacts(
        demo_questions="demo://calls",
        demo_preset="demo_calls",
        demo_settings={
            "ingest": {"search_share": 0.25},
            "sft": {"curriculum": "easy_to_hard"},
            "ablation": {"preset": "itool"},
        },
        shown=(TABLE,),
        preset="itool",
    ),
    "whetstone": PipelineFacts(
        on_demand=_REGRESSION,
        demo_questions="demo://calls",
        demo_preset="demo_calls",
        demo_settings={
            "ingest": _SEARCHED,
            "sft": {"curriculum": "easy_to_hard"},
        },
        shown=(
            COMPARISON,
            Shown("sft", "adapter", "adapter/1", "adapter"),
            Shown("ppo", "adapter", "adapter/1", "adapter"),
            Shown("rounds", "best", "adapter/1", "adapter"),
            Shown("rounds", "history", "rounds/1", "rounds"),
            Shown("mcts", "trees", "trees/1", "trees"),
            Shown("mcts", "report", "", "trees"),
        ),
        preset="whetstone",
        rounds=1,
        parts={"sft": ("sft",), "ppo": ("ppo",), "mcts": _ITERATED, "dpo": _ITERATED},
    ),
}
