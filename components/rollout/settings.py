"""How a question is taken through the agent loop; shared by the stages that run it.

A stage embeds these by inheritance: `class EvaluationSettings(RolloutSettings, StageSettings)`.
The defaults are the self-training paper's: T 0.6, top-p 0.9, 512 tokens, seed 19, one sample.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from components.contracts.records import PromptVariant


class RolloutSettings(BaseModel):
    """Prompt, sampling and bounds of the agent loop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: PromptVariant = Field(
        default="multi_step",
        description="plain and cot offer no tools; single_step gives one tool round, then an answer",
    )
    no_tool_variant: Literal["plain", "cot"] = Field(
        default="cot", description="the prompt of questions that are to be answered without tools"
    )
    max_steps: int = Field(default=9, ge=1, le=64, description="assistant turns a conversation may take")
    temperature: float = Field(default=0.6, ge=0.0, le=5.0, description="0 is greedy")
    top_p: float = Field(default=0.9, gt=0.0, le=1.0)
    max_new_tokens: int = Field(default=512, ge=1, description="tokens a turn, prefilled ones not counted")
    seed: int = Field(default=19, ge=0)
    prefill: Literal["none", "action", "sampled_action"] = Field(
        default="none",
        description=(
            "begin the first turn with an action: `action` goes through (none, every offered tool) "
            "from sample to sample, `sampled_action` draws from them; the question never decides. "
            "A turn that has to answer begins as the call format begins an answer"
        ),
    )
    max_tools: int = Field(
        default=0,
        ge=0,
        description=(
            "tools offered with a question: where there are more, those whose descriptions fit it best, by BM25; "
            "0 offers all"
        ),
    )
    concurrent: int = Field(default=64, ge=1, description="conversations that advance together")
