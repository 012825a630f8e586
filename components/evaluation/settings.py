"""Settings of evaluation; the defaults are the paper's prompt and bounds, with greedy decoding."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue

from components.contracts.settings import StageSettings
from components.policy.settings import EngineSettings
from components.rollout.settings import RolloutSettings

Split = Literal["held_out", "validation", "train"]


class EvaluationSettings(RolloutSettings, StageSettings):
    """Which questions are judged, and how the policy is run on them.

    Decoding is greedy unless told otherwise, so that a difference between two evaluations is a
    difference between two policies. `variant` and `engine.call_format` must be those that the
    adapter was trained under.
    """

    stage: ClassVar[str] = "evaluation"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {},
        "demo": {
            "variant": "single_step",
            "no_tool_variant": "plain",
            "max_new_tokens": 40,
            "concurrent": 512,
            "engine": {"call_format": "paper", "batch_size": 64},
        },
        "tl-training": {"variant": "multi_step", "max_new_tokens": 512},
        "itool": {},
        "whetstone": {},
        "demo_calls": {
            "max_new_tokens": 48,
            "concurrent": 512,
            "engine": {"call_format": "pythonic", "batch_size": 64},
        },
    }

    temperature: float = Field(default=0.0, ge=0.0, le=5.0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    split: Split = Field(
        default="held_out",
        description="validation is for choosing among policies; train shows what was memorised, never a result",
    )
    limit_per_kind: int = Field(
        default=0, ge=0, description="questions of each kind, drawn by the seed; 0 takes all"
    )
    no_tool_kinds: tuple[str, ...] = Field(
        default=("no_tool",), description="kinds of question that are to be answered without a tool"
    )
    scorer: Literal["fixed", "official"] = Field(
        default="fixed",
        description="official: RoTBench's questions as by its own scorer, which fails calls without arguments",
    )
    bfcl_package: str = Field(
        default="",
        description="folder `bfcl_eval` with the classes of BFCL's multi-turn questions; empty fetches the package",
    )
    api_bank_checkout: str = Field(
        default="",
        description="folder or s3:// of a checkout's `api-bank`, to judge API-Bank's calls also by executing them",
    )
    engine: EngineSettings = Field(default_factory=EngineSettings)

    def one_batch_at_a_time(self) -> Self:
        """The same, with no more conversations together than the model in this process decodes at once.

        A killed evaluation loses what was sampled together; nothing is gained by more in one go. Servers take all.
        """
        if self.engine.kind != "transformers":
            return self
        return self.model_copy(update={"concurrent": min(self.concurrent, self.engine.batch_size)})
