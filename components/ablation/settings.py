"""Settings of the ablation's table: its rows, its measures and the bootstrap."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self, get_args

from pydantic import Field, JsonValue, model_validator

from components.contracts.settings import StageSettings

CallMeasure = Literal[
    "calls_ts",
    "calls_pi",
    "calls_cf",
    "calls_unparsed",
    "calls_no_call",
    "executed_de",
    "executed_ce",
    "executed_va",
]
AnswerMeasure = Literal[
    "accuracy",
    "exact_match",
    "invoke_rate",
    "pass_rate",
    "answerable_rate",
    "called_share",
    "overuse",
    "harmed",
    "underuse",
    "rescued",
]
Measure = Literal[CallMeasure, AnswerMeasure]

# What a table's columns are called, in its order.
HEADERS: Mapping[str, str] = {
    "calls_ts": "TS",
    "calls_pi": "PI",
    "calls_cf": "CF",
    "calls_unparsed": "unparsed",
    "calls_no_call": "no call",
    "executed_de": "DE",
    "executed_ce": "CE",
    "executed_va": "VA",
    "accuracy": "accuracy",
    "exact_match": "EM",
    "invoke_rate": "IR",
    "pass_rate": "PR",
    "answerable_rate": "AR",
    "called_share": "called",
    "overuse": "overuse",
    "harmed": "harmed",
    "underuse": "underuse",
    "rescued": "rescued",
}

_GRID: Mapping[str, JsonValue] = {
    "rows": [
        "zero-shot plain",
        "zero-shot CoT",
        "zero-shot single-step",
        "zero-shot multi-step",
        "SFT tools",
        "SFT mixture",
        "SFT no tool",
        "DPO response",
        "DPO conversation",
        "DPO masked conversation",
    ],
    "measures": list(get_args(AnswerMeasure)),
    "trainings": ["SFT", "DPO"],
    "may_differ": ["variant"],
    "without_tools": "zero-shot CoT",
    "title": "Every way of self-training",
    "explanation": "The base model under four prompts; SFT on traces with tools, on every trace of the prompt with "
    "tools, and on traces without tools; DPO on the first turn, on whole conversations, and on those with the "
    "tools' replies left out of the loss.",
}


_ITOOL: Mapping[str, JsonValue] = {
    "rows": ["warm-up", "mixed SFT", "iteration 1", "iteration 2", "iteration 3"],
    "reference": "warm-up",
    "trainings": ["SFT", "DPO"],
    "measures": ["calls_ts", "calls_pi", "calls_cf", "calls_unparsed", "calls_no_call", "accuracy"],
    "title": "Warm-up and iterations",
    "explanation": "The warm-up's SFT goes from easy to hard, mixed SFT is its control in shuffled order; each iteration "
    "searches the hardest questions with the policy before it and tunes that on the steps found.",
}


class AblationSettings(StageSettings):
    """Which rows the table has, by the titles of the evaluations. Shares are in [0, 1]."""

    stage: ClassVar[str] = "ablation"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "tl-training": {},
        "demo_calls": {},
        "self-training": {**_GRID, "reference": "zero-shot multi-step"},
        "demo": {**_GRID, "reference": "zero-shot single-step"},
        "itool": _ITOOL,
    }

    rows: tuple[str, ...] = Field(
        default=("none", "MAE", "PKT", "IRM", "MAE & PKT", "MAE & IRM", "PKT & IRM", "All"),
        min_length=1,
        description="titles of the evaluations in the table's order, each expected once",
    )
    reference: str = Field(default="none", description="the row that every other row is compared with")
    measures: tuple[Measure, ...] = Field(
        default=(*get_args(CallMeasure), "accuracy"),
        min_length=1,
        description="the columns; those without a value in any row are left out",
    )
    trainings: tuple[str, str] = Field(
        default=("SFT", "PPO"), description="what the two trainings of an arm are, by their stages' names"
    )
    may_differ: tuple[str, ...] = Field(
        default=(), description="settings of evaluation in which rows may differ; else policies alone do"
    )
    without_tools: str = Field(
        default="",
        description="the row of the base model without tools, which tells what it knows: for overuse, harmed, "
        "underuse and rescued, unless an evaluation of it is given",
    )
    title: str = Field(default="What each component does", description="of the page")
    explanation: str = Field(
        default="MAE masks turns whose call failed, PKT weighs the key tokens of tool names, IRM is PPO on a reward "
        "for the kind of error.",
        description="of the rows, on the page",
    )
    samples: int = Field(default=10_000, ge=100, description="resamples of the paired bootstrap")
    seed: int = Field(default=19, ge=0, description="of the bootstrap")
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0, description="of every interval")
    no_tool_kinds: tuple[str, ...] = Field(
        default=("no_tool",), description="kinds of question that are to be answered without a tool"
    )

    @model_validator(mode="after")
    def _named_rows_are_there(self) -> Self:
        if self.reference not in self.rows:
            raise ValueError(f"reference {self.reference!r} is none of the rows {', '.join(self.rows)}")
        if self.without_tools and self.without_tools not in self.rows:
            raise ValueError(
                f"without_tools {self.without_tools!r} is none of the rows {', '.join(self.rows)}"
            )
        if len(set(self.rows)) < len(self.rows):
            raise ValueError(f"rows: a title occurs twice in {', '.join(self.rows)}")
        return self
