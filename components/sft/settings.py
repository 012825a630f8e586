"""Settings of supervised fine-tuning; the defaults are the self-training paper's."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from components.contracts.settings import StageSettings

KeyReading = Literal["none", "first_divergence", "shared_prefix"]

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


class SFTSettings(StageSettings):
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

    method: Literal["lora", "qlora", "full"] = Field(
        default="lora",
        description="lora; qlora (4-bit base weights, CUDA only); full (every weight, a whole model comes out)",
    )
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=8, ge=1, description="the update is scaled by lora_alpha / lora_rank")
    lora_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    lora_targets: tuple[str, ...] = Field(default=("q_proj", "v_proj"), min_length=1)
    learning_rate: float = Field(default=5e-5, gt=0.0)
    scheduler: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="of the learning rate, after the warm-up; linear and cosine end at zero"
    )
    warmup: float = Field(default=0.0, ge=0.0, lt=1.0, description="share of the steps")
    weight_decay: float = Field(default=0.0, ge=0.0)
    beta2: float = Field(
        default=0.999, gt=0.0, lt=1.0, description="of AdamW: its memory of squared gradients"
    )
    max_grad_norm: float = Field(default=1.0, ge=0.0, description="0 never clips")
    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=32, ge=1, description="examples an optimizer step, over all processes")
    micro_batch: int = Field(
        default=4, ge=1, description="examples a forward pass; memory only, never the gradient"
    )
    share_prefixes: bool = Field(
        default=True, description="examples of a step that begin alike are encoded once; time only"
    )
    max_tokens: int = Field(
        default=8192, ge=2, description="longer examples are dropped and counted, never cut"
    )
    key_tokens: KeyReading = Field(
        default="none",
        description="tokens of tool names that weigh more: the first, and those that tell it from another offered "
        "tool's name (first_divergence) or are shared with one (shared_prefix)",
    )
    max_key_weight: float = Field(default=9.0, ge=1.0, description="of a key token; all others weigh 1")
    seed: int = Field(default=19, ge=0, lt=2**32, description="of the adapter's first weights and the order")
    save_every: int = Field(default=50, ge=1, description="optimizer steps between two checkpoints")
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        default="auto",
        description="of the base weights; full keeps float32 weights and computes in bfloat16 where told so",
    )
    gradient_checkpointing: bool = Field(
        default=True, description="saves memory at about a third more time; on GPUs only"
    )
