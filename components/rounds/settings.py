"""Settings of the judge between rounds: the bootstrap, the gate and the alarms."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, JsonValue

from components.contracts.settings import StageSettings


class RoundsSettings(StageSettings):
    """When a round hurt, and when an alarm sounds. Shares are in [0, 1]."""

    stage: ClassVar[str] = "rounds"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {},
        "itool": {},
        "whetstone": {},
        "demo": {},
        "demo_calls": {"margin": 0.2},  # of 28 validation questions 3 are 10.7 points
    }

    samples: int = Field(default=10_000, ge=100, description="resamples of the paired bootstrap")
    seed: int = Field(default=19, ge=0, description="of the bootstrap")
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0, description="of every interval")
    no_tool_kinds: tuple[str, ...] = Field(
        default=("no_tool",), description="kinds of question that are to be answered without a tool"
    )
    margin: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description=(
            "accuracy that fell by more than this, surely or not, means that the round hurt; so does a smaller "
            "fall whose interval lies below zero"
        ),
    )
    min_kept_nats: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="share of the first round's mean -log p of sampled tokens that must be left",
    )
    min_kept_diversity: float = Field(
        default=0.5, ge=0.0, le=1.0, description="share of the first round's diversity that must be left"
    )
    severe_kept_diversity: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="less than this share of the first round's distinct texts left: the rounds end",
    )
    min_called_share: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description=(
            "share of the questions that need a tool with a call; less is an alarm, and the round hurt when an "
            "earlier one had more"
        ),
    )
    max_no_tool_invoke_rate: float = Field(
        default=0.2, ge=0.0, description="calls a question that needs no tool; more is an alarm"
    )
    max_called_share: float = Field(
        default=0.99,
        ge=0.0,
        le=1.0,
        description="where no question is known to need no tool: calls on more of all questions are an alarm",
    )
    min_trained_traces: int = Field(default=50, ge=0, description="fewer trained traces are an alarm")
