"""Settings of regression: which tasks, on which rows."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from components.contracts.settings import StageSettings
from components.policy.settings import ModelSettings

Task = Literal["mmlu", "gsm8k", "humaneval"]


class RegressionSettings(StageSettings):
    """The harness's own prompts, shots and metrics hold; only where rows come from can be changed."""

    stage: ClassVar[str] = "regression"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {}

    tasks: tuple[Task, ...] = Field(default=("mmlu", "gsm8k"), min_length=1)
    data: dict[Task, str] = Field(
        default_factory=dict,
        description="task -> file of its rows as JSON lines, local or s3://; the others' come from the hub",
    )
    limit: int = Field(default=0, ge=0, description="rows of each task, MMLU's of each subject; 0 takes all")
    seed: int = Field(default=1234, ge=0, description="of the choice of shots")
    batch_size: int = Field(default=8, ge=1)
    allow_code_execution: bool = Field(
        default=False, description="humaneval executes what the model wrote, inside the stage's container"
    )
    model: ModelSettings = Field(default_factory=ModelSettings)

    @model_validator(mode="after")
    def _code_is_allowed(self) -> Self:
        if "humaneval" in self.tasks and not self.allow_code_execution:
            raise ValueError(
                "tasks: humaneval executes code that the model wrote; expected allow_code_execution=true with it"
            )
        if unasked := sorted(set(self.data) - set(self.tasks)):
            raise ValueError(
                f"data: {unasked[0]!r} is not one of the tasks; expected {', '.join(self.tasks)}"
            )
        return self
