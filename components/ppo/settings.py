"""Settings of PPO; the defaults are TL-Training's."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from components.contracts.settings import StageSettings


class PPOSettings(StageSettings):
    """What PPO can be told; without a preset, the `tl-training` values hold, with LoRA."""

    stage: ClassVar[str] = "ppo"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "tl-training": {"method": "full", "dtype": "bfloat16"},
        "whetstone": {"dtype": "bfloat16"},
        "demo_calls": {
            "actor_learning_rate": 1e-4,
            "critic_learning_rate": 3e-3,
            "max_samples": 32,
            "rollouts_per_prompt": 4,
            "batch_size": 32,
            "micro_batch": 16,
            "epochs": 1,
            "kl_coefficient": 0.1,
            "max_new_tokens": 48,
            "max_prompt_tokens": 1024,
            "lora_alpha": 32,
            "dtype": "bfloat16",
        },
    }

    method: Literal["lora", "full"] = Field(
        default="lora",
        description="lora: actor, critic and reference are adapters on one base; full: three whole models",
    )
    lora_rank: int = Field(default=16, ge=1, description="of a new adapter, like the next two")
    lora_alpha: int = Field(default=8, ge=1)
    lora_targets: tuple[str, ...] = Field(default=("q_proj", "v_proj"), min_length=1)
    actor_learning_rate: float = Field(default=2e-6, gt=0.0)
    critic_learning_rate: float = Field(default=1e-6, gt=0.0)
    scheduler: Literal["linear", "cosine", "constant"] = Field(
        default="cosine", description="of both learning rates, after the warm-up; linear and cosine end at 0"
    )
    warmup: float = Field(default=0.0, ge=0.0, lt=1.0, description="share of the steps")
    adam_betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(default=0.0, ge=0.0)
    max_grad_norm: float = Field(default=1.0, ge=0.0, description="of actor and critic each; 0 never clips")
    epochs: int = Field(default=3, ge=1, description="how often every prompt is answered")
    batch_size: int = Field(default=8, ge=1, description="rollouts an optimizer step, over all processes")
    micro_batch: int = Field(
        default=4, ge=1, description="rollouts a forward pass; memory only, never the gradient"
    )
    ppo_epochs: int = Field(default=1, ge=1, description="optimizer steps on the same rollouts")
    rollouts_per_prompt: int = Field(default=1, ge=1, description="of an epoch, all in the same batch")
    max_samples: int = Field(default=0, ge=0, description="prompts taken, by chance; 0 takes all")
    sampling: Literal["sampled", "greedy"] = Field(
        default="sampled", description="sampled: at temperature 1 from all tokens; greedy explores nothing"
    )
    max_new_tokens: int = Field(default=512, ge=1)
    max_prompt_tokens: int = Field(
        default=8192, ge=2, description="longer prompts are quarantined, never cut"
    )
    kl_coefficient: float = Field(default=0.4, ge=0.0)
    gamma: float = Field(default=1.0, ge=0.0, le=1.0)
    lambda_: float = Field(default=0.95, ge=0.0, le=1.0)
    policy_clip: float = Field(default=0.2, gt=0.0)
    value_clip: float = Field(default=0.2, gt=0.0)
    reward_clip: float = Field(default=5.0, gt=0.0)
    seed: int = Field(default=19, ge=0, lt=2**32, description="of a new adapter, the order and the sampling")
    save_every: int = Field(default=10, ge=1, description="steps between two checkpoints")
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        default="auto",
        description="of the base weights; full keeps float32 weights and computes in bfloat16 where told so",
    )

    @model_validator(mode="after")
    def _batches_hold_whole_prompts(self) -> Self:
        if self.batch_size % self.rollouts_per_prompt:
            raise ValueError(
                f"rollouts_per_prompt: {self.rollouts_per_prompt} does not divide batch_size {self.batch_size}"
            )
        return self
