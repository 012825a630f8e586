"""The pipelines by name, and what the command line and a local run must know about each."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """An artifact that the run's folder shows to people: output of a task, by KFP's names.

    folder: where its files go below the run's folder; empty puts them right there.
    """

    task: str
    output: str
    schema: str
    folder: str = ""


@dataclass(frozen=True)
class PipelineFacts:
    """preset: the stages' preset when a run names none; empty leaves them their defaults.

    demo_questions, demo_preset: what the word `preset=demo` stands for.
    """

    demo_questions: str
    demo_preset: str
    shown: tuple[Shown, ...]
    preset: str = ""


COMPARISON = Shown("promotion", "comparison", "comparison/1")

PIPELINES: Mapping[str, PipelineFacts] = {
    "self_training": PipelineFacts(
        demo_questions="demo://",
        demo_preset="demo",
        shown=(COMPARISON, Shown("sft", "adapter", "adapter/1", "adapter")),
    ),
    "tl_training": PipelineFacts(
        demo_questions="demo://calls",
        demo_preset="demo_calls",
        shown=(COMPARISON, Shown("ppo", "adapter", "adapter/1", "adapter")),
        preset="tl-training",
    ),
    "tl_ablation": PipelineFacts(
        demo_questions="demo://calls",
        demo_preset="demo_calls",
        shown=(Shown("ablation", "comparison", "ablation/1"),),
        preset="tl-training",
    ),
}
