"""Settings of preference tuning; the defaults are the self-training paper's."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from components.policy.training_settings import TrainingSettings

LossName = Literal["dpo", "ipo", "simpo", "orpo"]

# The paper varies learning rate and beta and says what it took of the first only.
_ITOOL: Mapping[str, JsonValue] = {"weight_decay": 0.01, "beta": 0.1}
_DEMO: Mapping[str, JsonValue] = {
    "lora_alpha": 32,
    "learning_rate": 2e-3,
    "epochs": 1,
    "warmup": 0.1,
    "batch_size": 8,
    "micro_batch": 4,
    "max_tokens": 1024,
    "beta": 0.1,
    "nll_weight": 1.0,  # the base model would never sample what is chosen; the contrast alone makes it no likelier
    "dtype": "bfloat16",
}


class DPOSettings(TrainingSettings):
    """What preference tuning can be told; without a preset, the `self-training` values hold."""

    stage: ClassVar[str] = "dpo"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {},
        "itool": _ITOOL,
        "whetstone": _ITOOL,
        "tl-training": {},
        "demo": _DEMO,
        # Of steps, from the warm-up on: without an anchor the contrast alone teaches it to close every call early.
        "demo_calls": {**_DEMO, "learning_rate": 3e-4, "nll_weight": 2.0},
    }

    loss: LossName = Field(default="dpo", description="see components.dpo.losses")
    beta: float = Field(
        default=0.5, gt=0.0, description="of dpo, ipo (its tau), simpo; of orpo the odds ratio's weight"
    )
    gamma: float = Field(default=0.5, ge=0.0, description="of simpo: the margin to be won by, in nats")
    nll_weight: float = Field(
        default=0.0,
        ge=0.0,
        description="times the mean negative log-likelihood of the chosen's tokens, added",
    )
    batch_size: int = Field(default=32, ge=1, description="pairs an optimizer step, over all processes")
    micro_batch: int = Field(
        default=4, ge=1, description="pairs a forward pass; memory only, never the gradient"
    )
    share_prefixes: bool = Field(
        default=True, description="what the continuations of a prompt share is encoded once; time only"
    )
    max_tokens: int = Field(
        default=8192, ge=2, description="pairs with a longer side are dropped and counted, never cut"
    )

    @model_validator(mode="after")
    def _orpo_has_its_own(self) -> Self:
        if self.loss == "orpo" and self.nll_weight:
            raise ValueError(
                "nll_weight: orpo has the chosen's likelihood in it already; expected 0 with orpo"
            )
        return self
