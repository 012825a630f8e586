"""Settings of preflight."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from components.contracts.settings import StageSettings

CheckName = Literal[
    "settings",
    "secret",
    "questions",
    "base_model",
    "tools_url",
    "engine",
    "artifact_store",
    "checkpoint_root",
    "publish_to",
    "gpu",
    "disk",
]


class PreflightSettings(StageSettings):
    """What is looked at before the run, and how long each look may take."""

    stage: ClassVar[str] = "preflight"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {"min_free_gb": 20.0},
        "tl-training": {"min_free_gb": 20.0},
        "itool": {"min_free_gb": 20.0},
        "whetstone": {"min_free_gb": 20.0},
        "demo": {},
        "demo_calls": {},
    }

    skip: tuple[CheckName, ...] = Field((), description="Checks to leave out, by name.")
    secrets: tuple[str, ...] = Field((), description="Environment variables that must be set, by name.")
    min_free_gb: float = Field(
        2.0, ge=0, description="Free space the working folder must have, in 10^9 bytes."
    )
    deadline: float = Field(10.0, gt=0, le=600, description="Seconds a check may take; all run side by side.")
