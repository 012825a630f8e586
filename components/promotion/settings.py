"""Settings of promotion: the bootstrap and the gate."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, JsonValue

from components.contracts.settings import StageSettings


class PromotionSettings(StageSettings):
    """How sure one must be, and what may not get worse. Shares are in [0, 1]."""

    stage: ClassVar[str] = "promotion"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {},
        "demo": {},
        "tl-training": {},
        "itool": {},
        "whetstone": {},
        "demo_calls": {},
    }

    samples: int = Field(default=10_000, ge=100, description="resamples of the paired bootstrap")
    seed: int = Field(default=19, ge=0)
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0, description="of every interval")
    target_suites: tuple[str, ...] = Field(
        default=(),
        description="suites on which accuracy must rise, or families of them; empty: the users' own questions",
    )
    regression_suites: tuple[str, ...] = Field(
        default=(),
        description="suites that may not fall, or families; empty: all judged ones that are no target",
    )
    regression_margin: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="how far accuracy may fall on a regression suite, as observed",
    )
    no_tool_kinds: tuple[str, ...] = Field(
        default=("no_tool",), description="kinds of question that are to be answered without a tool"
    )
    no_tool_margin: float = Field(
        default=0.05, ge=0.0, le=1.0, description="how far accuracy may fall on questions that need no tool"
    )
    max_no_tool_invoke_rate: float = Field(
        default=0.2, ge=0.0, description="calls a question that needs no tool; more is overuse"
    )
    max_invoke_rate: float = Field(
        default=3.0,
        ge=0.0,
        description="calls of the first turn where tools are needed; more is running away",
    )
    min_kept_tool_use: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="share of the earlier tool use that must be left on questions that need a tool",
    )
    report_items: int = Field(default=400, ge=0, description="held-out questions in the report's viewer")
    report_training_traces: int = Field(default=60, ge=0, description="training traces in the viewer")
