"""Settings of the ablation's table: its rows and the bootstrap."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, JsonValue, model_validator

from components.contracts.settings import StageSettings


class AblationSettings(StageSettings):
    """Which rows the table has, by the titles of the evaluations. Shares are in [0, 1]."""

    stage: ClassVar[str] = "ablation"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {"tl-training": {}, "demo_calls": {}}

    rows: tuple[str, ...] = Field(
        default=("none", "MAE", "PKT", "IRM", "MAE & PKT", "MAE & IRM", "PKT & IRM", "All"),
        min_length=1,
        description="titles of the evaluations in the table's order, each expected once",
    )
    reference: str = Field(default="none", description="the row that every other row is compared with")
    samples: int = Field(default=10_000, ge=100, description="resamples of the paired bootstrap")
    seed: int = Field(default=19, ge=0, description="of the bootstrap")
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0, description="of every interval")
    no_tool_kinds: tuple[str, ...] = Field(
        default=("no_tool",), description="kinds of question that are to be answered without a tool"
    )

    @model_validator(mode="after")
    def _reference_is_a_row(self) -> Self:
        if self.reference not in self.rows:
            raise ValueError(f"reference {self.reference!r} is none of the rows {', '.join(self.rows)}")
        if len(set(self.rows)) < len(self.rows):
            raise ValueError(f"rows: a title occurs twice in {', '.join(self.rows)}")
        return self
