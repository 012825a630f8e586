"""Settings of trace generation; the defaults are the self-training paper's."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, JsonValue

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
        "demo_calls": {"max_new_tokens": 48, "engine": {"call_format": "pythonic"}},
        "demo": {
            "variant": "single_step",
            "num_samples": 9,
            "temperature": 0.5,
            "max_new_tokens": 32,
            "prefill": "action",
            "concurrent": 256,
            # Two shards of one thread each decode faster than one process with two threads.
            "engine": {"call_format": "paper", "batch_size": 64, "model": {"threads": 1}},
        },
    }

    num_samples: int = Field(default=1, ge=1, description="samples a question (best of n)")
    no_tool_samples: int = Field(
        default=0,
        ge=0,
        description="further samples a question under no_tool_variant, never prefilled: what it answers without tools",
    )
    engine: EngineSettings = Field(default=EngineSettings(), description="what samples the turns")
