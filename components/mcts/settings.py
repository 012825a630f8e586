"""Settings of the search; the defaults are the iTool paper's, in the forms of Xie et al. (2024)."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from components.contracts.settings import StageSettings
from components.policy.settings import EngineSettings
from components.rollout.settings import RolloutSettings

StepKind = Literal["call", "argument"]

# Chosen on practice questions. The hardest fifth is beyond the demo model (no sample is right, so nothing tells steps
# apart), so all of the pool is searched; and its own judgement of a step is noise, which teaches it to close calls early.
_DEMO: Mapping[str, JsonValue] = {
    "step": "argument",
    "alpha": 1.0,
    "width": 4,
    "simulations": 32,
    "leaves": 2,
    "self_evaluation": False,
    "max_new_tokens": 48,
    "max_step_tokens": 32,
    "engine": {"call_format": "pythonic", "batch_size": 64},
}


class MCTSSettings(RolloutSettings, StageSettings):
    """Which questions are searched, how each tree grows, and which siblings make a pair.

    `concurrent` trees advance together. temperature and top_p hold for steps and roll-outs; max_new_tokens is the
    most of one assistant turn, from its beginning.
    """

    stage: ClassVar[str] = "mcts"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "itool": {},
        "whetstone": {},
        "self-training": {},
        "tl-training": {},
        "demo": _DEMO,
        "demo_calls": _DEMO,
    }

    temperature: float = Field(default=1.0, gt=0.0, le=5.0, description="of steps and of roll-outs")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    concurrent: int = Field(default=64, ge=1, description="trees that advance together; time and memory only")
    data_share: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="of the questions that make the pool, by `seed`; for measuring gains against data scale",
    )
    alpha: float = Field(
        default=0.2, gt=0.0, le=1.0, description="share of the pool that is searched: the hardest"
    )
    stratify: bool = Field(
        default=False, description="the share is taken of questions with and without calls each"
    )
    max_trees: int = Field(default=0, ge=0, description="most trees, the hardest first; 0: no bound")
    width: int = Field(default=3, ge=1, le=64, description="next steps that an expansion samples")
    depth: int = Field(
        default=3, ge=1, le=64, description="steps from the root; the last runs to the end of its turn"
    )
    simulations: int = Field(default=64, ge=1, description="of each tree: its budget")
    c: float = Field(default=1.0, ge=0.0, description="how much exploration counts (PUCT, equation 5)")
    gamma: float = Field(default=1.0, ge=0.0, le=1.0, description="discount of later value (equation 8)")
    leaves: int = Field(
        default=1,
        ge=1,
        description="leaves of one tree expanded together, kept apart by virtual loss; 1 is the search one by one",
    )
    virtual_loss: float = Field(
        default=1.0, ge=0.0, description="what a visit under way is taken to have lost, while it is"
    )
    step: StepKind = Field(
        default="call",
        description=(
            "call: a step is a tool call or a sentence; argument: calls are cut at the ends of arguments as well, "
            "so that a single call has depth"
        ),
    )
    max_step_tokens: int = Field(
        default=128, ge=1, description="tokens a step; one that is longer is cut there"
    )
    self_evaluation: bool = Field(
        default=True, description="add the model's own judgement of each step to its reward (equation 6)"
    )
    execute_tools: bool = Field(
        default=False,
        description="search questions without golds, too: the tools service executes calls inside the tree",
    )
    min_gap: float = Field(default=0.1, ge=0.0, description="pairs that differ less in Q are dropped")
    max_overlap: float = Field(
        default=0.95, ge=0.0, le=1.0, description="pairs whose steps share more of their tokens are dropped"
    )
    report_trees: int = Field(default=12, ge=0, description="trees in the page, those with most pairs first")
    engine: EngineSettings = Field(
        default=EngineSettings(), description="the model that steps are sampled from; kind transformers"
    )

    @model_validator(mode="after")
    def _samples_whole_turns(self) -> Self:
        if self.engine.kind != "transformers":
            raise ValueError(f"engine.kind: the search needs transformers, got {self.engine.kind!r}")
        if self.prefill != "none":
            raise ValueError(f"prefill: the search samples turns from their beginning, got {self.prefill!r}")
        return self
