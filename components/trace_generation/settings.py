"""Settings of trace generation; the defaults are the self-training paper's."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, JsonValue

from components.contracts.methods import is_named
from components.contracts.settings import StageSettings
from components.policy.settings import EngineSettings
from components.rollout.settings import RolloutSettings


class TraceGenerationSettings(RolloutSettings, StageSettings):
    """How often and how each training question is sampled, and by which engine.

    A teacher is any OpenAI-compatible server: `{"engine": {"kind": "openai", "url": "http://..."}}`.
    """

    stage: ClassVar[str] = "trace_generation"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {"no_tool_samples": 1},
        "tl-training": {},
        # DPO's pairs come from the search there, not from practice.
        "itool": {"no_tool_samples": 0},
        "whetstone": {"no_tool_samples": 0},
        "demo_calls": {"no_tool_samples": 0, "max_new_tokens": 48, "engine": {"call_format": "pythonic"}},
        "demo": {
            "variant": "single_step",
            "num_samples": 9,
            "no_tool_samples": 0,
            "temperature": 0.5,
            "max_new_tokens": 32,
            "prefill": "action",
            "concurrent": 256,
            # Two shards of one thread each decode faster than one process with two threads.
            "engine": {"call_format": "paper", "batch_size": 64, "model": {"threads": 1}},
        },
    }

    num_samples: int = Field(default=1, ge=1, description="samples a question (best of n)")
    no_tool_samples: int | None = Field(
        default=None,
        ge=0,
        description="further samples a question under no_tool_variant, never prefilled: what it answers without tools; "
        "null: 1 where the run's method names dpo, whose pairs need them, else 0",
    )
    engine: EngineSettings = Field(default=EngineSettings(), description="what samples the turns")

    def samples_without_tools(self, method: str) -> int:
        """How many samples a question is asked for without tools in a run of `method` (see `contracts.methods`).

        Raises:
            InputError: the method has an unknown name.
        """
        return int(is_named("dpo", method)) if self.no_tool_samples is None else self.no_tool_samples
