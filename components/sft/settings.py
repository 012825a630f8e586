"""Settings of supervised fine-tuning; the defaults are the self-training paper's."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from components.policy.training_settings import TrainingSettings

KeyReading = Literal["none", "first_divergence", "shared_prefix"]
Curriculum = Literal["none", "easy_to_hard", "mixed"]

_DEMO: Mapping[str, JsonValue] = {
    "lora_alpha": 32,
    "learning_rate": 2e-3,
    "epochs": 3,
    "warmup": 0.1,
    "batch_size": 8,
    "micro_batch": 8,
    "max_tokens": 1024,
    "dtype": "bfloat16",
}


class SFTSettings(TrainingSettings):
    """What supervised fine-tuning can be told; without a preset, the `self-training` values hold."""

    stage: ClassVar[str] = "sft"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {},
        "tl-training": {
            "method": "full",
            "learning_rate": 1e-6,
            "scheduler": "cosine",
            "warmup": 0.01,
            "weight_decay": 0.01,
            "beta2": 0.95,
            "epochs": 1,
            "batch_size": 4,
            "max_tokens": 8192,
            "dtype": "bfloat16",
            "key_tokens": "first_divergence",
            "max_key_weight": 9.0,
        },
        # The paper says neither rank nor epochs of its warm-up.
        "itool": {"weight_decay": 0.01, "curriculum": "easy_to_hard"},
        # Both papers' ways at once, as adapters: what comes out goes on into PPO and DPO.
        "whetstone": {
            "weight_decay": 0.01,
            "curriculum": "easy_to_hard",
            "key_tokens": "first_divergence",
            "max_key_weight": 9.0,
        },
        "demo": _DEMO,
        "demo_calls": {
            **_DEMO,
            "lora_targets": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
            "learning_rate": 1e-3,
            "epochs": 1,
            "batch_size": 4,
            "micro_batch": 4,
            "key_tokens": "first_divergence",
        },
    }

    key_tokens: KeyReading = Field(
        default="none",
        description="tokens of tool names that weigh more: the first, and those that tell it from another offered "
        "tool's name (first_divergence) or are shared with one (shared_prefix)",
    )
    max_key_weight: float = Field(default=9.0, ge=1.0, description="of a key token; all others weigh 1")
    curriculum: Curriculum = Field(
        default="none",
        description="easy_to_hard: the easy third of the examples first, then the medium, then the hard one, each for "
        "`epochs`; mixed: the control, all examples in as many steps of the same sizes; none: as they come, shuffled",
    )
    data_share: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="of the questions whose traces are trained, by `seed`; for measuring gains against data scale",
    )
