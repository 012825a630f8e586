"""Settings of error labeling."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from components.contracts.contamination import OnContamination
from components.contracts.settings import StageSettings

Feedback = Literal["typed", "classified", "legacy"]
Export = Literal["openai", "ms_swift", "axolotl"]

# Trajectories of others: their failures have words only, and nobody judged how they end.
_FOREIGN: dict[str, JsonValue] = {"feedback": "classified", "recipe": "mixture", "only_correct": False}


class ErrorLabelingSettings(StageSettings):
    """Which traces, and which of their turns, are trained on."""

    stage: ClassVar[str] = "error_labeling"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {},
        "demo": {
            "require_answerable": True,
            "prefer_fewest_calls": True,
            "min_direct_share": 0.5,
            "max_traces_per_question": 1,
        },
        "tl-training": _FOREIGN,
        "itool": _FOREIGN,
        "whetstone": _FOREIGN,
        "demo_calls": _FOREIGN,
    }

    recipe: Literal["tools", "mixture", "no_tool"] = Field(
        default="mixture",
        description=(
            "tools: at least one call came back without an error; mixture: every trace of a prompt "
            "that offers tools; no_tool: traces of a prompt without tools, or, where the run has none, without a call"
        ),
    )
    only_correct: bool = Field(default=True, description="train only traces whose final answer is right")
    mask_errors: bool = Field(
        default=True, description="leave out turns with a call that failed by the model's fault (MAE)"
    )
    feedback: Feedback = Field(
        default="typed",
        description=(
            "what tells that a call failed: typed: the service's codes alone; classified: replies without "
            "a code are read for words of failure; legacy: they are, by the paper's 14 substrings"
        ),
    )
    mask_instability: bool = Field(
        default=False, description="leave out turns whose call the infrastructure lost, too"
    )
    require_answerable: bool = Field(
        default=False,
        description="a trace with calls is trained only if a reply holds the answer: otherwise the tool did not help",
    )
    prefer_fewest_calls: bool = Field(
        default=False,
        description="of a question's traces train those with the fewest calls: what it knows, it need not look up",
    )
    min_direct_share: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description=(
            "an answer without a call is trained only if at least this share of the question's answers "
            "without a call, to the same kind of prompt, are right: a lucky guess is not knowledge"
        ),
    )
    on_contamination: OnContamination = Field(
        default="exclude",
        description=(
            "what becomes of a trace that holds a held-out or validation question or a benchmark's item: left out, "
            "only listed in contamination.jsonl, or the end of the run"
        ),
    )
    exports: tuple[Export, ...] = Field(
        default=(),
        description=(
            "also write the trained traces for other trainers, the labels as they read them: openai: "
            "fine-tuning rows with weight; ms_swift: messages with loss; axolotl: chat_template with train"
        ),
    )
    max_traces_per_question: int | None = Field(default=None, ge=1, description="the first so many samples")
