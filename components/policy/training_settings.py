"""Settings that every stage with `step_trainer` has. Imports no torch."""

from typing import Literal

from pydantic import Field

from components.contracts.settings import StageSettings


class TrainingSettings(StageSettings):
    """Which weights are trained, by which optimizer, in which steps; the defaults are the self-training paper's.

    An example is whatever the stage's loss counts as one: a trace, or a pair of continuations.
    """

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
    seed: int = Field(default=19, ge=0, lt=2**32, description="of the adapter's first weights and the order")
    save_every: int = Field(default=50, ge=1, description="optimizer steps between two checkpoints")
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        default="auto",
        description="of the base weights; full keeps float32 weights and computes in bfloat16 where told so",
    )
    gradient_checkpointing: bool = Field(
        default=True, description="saves memory at about a third more time; on GPUs only"
    )
