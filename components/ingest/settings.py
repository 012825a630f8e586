"""Settings of ingest."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue, field_validator

from components.contracts.contamination import OnContamination
from components.contracts.kinds import reason_against
from components.contracts.nearest import nearest
from components.contracts.settings import StageSettings
from components.contracts.tool_calls import get_call_format
from components.ingest.suite_names import FAMILIES, expand_suites

# In the order in which they are tried.
FormatName = Literal[
    "popqa", "nq", "gsm8k", "triviaqa", "bfcl", "rotbench", "tooleyes", "seal_tools", "toolace", "toolrl", "api_bank",
    "toolalpaca", "glaive", "xlam", "golds", "messages", "sharegpt", "plain",
]  # fmt: skip


class IngestSettings(StageSettings):
    """How users' files become training and held-out questions.

    PopQA and NQ are the paper's long-tail sets, which it only evaluates on. Every preset keeps to
    that. Without a preset they are held out as a whole too when there is anything else to train
    on; alone, they are split by subject like any other source, and the report says so.
    """

    stage: ClassVar[str] = "ingest"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {
            "seed": 19,
            "max_train": 10_000,
            "max_held_out": 1_000,
            "train_on_long_tail": "never",
        },
        "tl-training": {"train_on_long_tail": "never"},
        "itool": {"train_on_long_tail": "never", "search_share": 0.1},
        "whetstone": {"train_on_long_tail": "never", "search_share": 0.1},
        "demo": {"train_on_long_tail": "never", "shards": 2},
        "demo_calls": {"call_format": "pythonic"},
    }

    seed: int = Field(19, description="Seed of the split and of every choice made here.")
    held_out_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of subjects held out; not used for demo:// and when held_out is given.",
    )
    validation_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of the training subjects set aside to choose among policies by, where a run asks "
        "for validation.",
    )
    search_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the training subjects with gold calls that is left out of training, for search.",
    )
    held_out: str = Field(
        "", description="URIs of held-out questions, comma separated; then all of questions is for training."
    )
    max_train: int | None = Field(None, ge=1, description="At most so many training questions of each kind.")
    max_held_out: int | None = Field(
        None, ge=1, description="At most so many held-out questions of each kind; likewise for validation."
    )
    train_on_long_tail: Literal["never", "alone", "always"] = Field(
        "alone", description="Whether PopQA and NQ are trained on: alone means when there is nothing else."
    )
    formats: dict[str, FormatName] = Field(
        {}, description='Format by file name pattern, such as {"*.csv": "popqa"}; the others are detected.'
    )
    kinds: dict[str, str] = Field(
        {}, description='Kind by file name pattern, such as {"chat*": "no_tool"}; overrides the rows\' own.'
    )
    on_bad_row: Literal["quarantine", "fail"] = Field(
        "quarantine",
        description="What a row that can't be used does: set aside with its reason, or end the run.",
    )
    contamination_words: int = Field(
        13,
        ge=0,
        description="A training row is contaminated when it shares so many words in a row with a held-out or "
        "validation question or a benchmark's item (of shorter ones, all words); 0 looks for equal questions only.",
    )
    on_contamination: OnContamination = Field(
        "exclude",
        description="What becomes of a contaminated training row: left out, only listed in contamination.jsonl, or "
        "the end of the run.",
    )
    call_format: str = Field(
        "hermes",
        description="How calls are written in trajectories; the same as the engine's call_format.",
    )
    suites: tuple[str, ...] = Field(
        (),
        description='Benchmarks to judge by beside the held-out questions, such as "bfcl:multiple" or "api_bank"; '
        "as a list, or comma separated.",
    )
    suite_data: dict[str, str] = Field(
        {},
        description="Where a benchmark's published files are, by family: a folder, a file, s3:// or (bfcl, its "
        "default) pypi://bfcl-eval.",
    )
    suite_limit: int | None = Field(None, ge=1, description="At most so many questions of each suite.")
    suite_seed: int = Field(19, description="Seed of the choice that suite_limit makes.")
    shards: int = Field(1, ge=1, le=1024, description="Parts that trace generation works on side by side.")

    @field_validator("call_format")
    @classmethod
    def _is_known(cls, name: str) -> str:
        return get_call_format(name).name

    @field_validator("kinds")
    @classmethod
    def _are_not_reserved(cls, kinds: dict[str, str]) -> dict[str, str]:
        for reason in filter(None, map(reason_against, kinds.values())):
            raise ValueError(reason)
        return kinds

    @field_validator("suites", mode="before")
    @classmethod
    def _from_text(cls, suites: object) -> object:
        """`a,b` as the command line gives it."""
        if isinstance(suites, str):
            return [name.strip() for name in suites.split(",") if name.strip()]
        return suites

    @field_validator("suites")
    @classmethod
    def _single_suites(cls, suites: tuple[str, ...]) -> tuple[str, ...]:
        return expand_suites(suites)

    @field_validator("suite_data")
    @classmethod
    def _are_families(cls, places: dict[str, str]) -> dict[str, str]:
        for family, place in places.items():
            if family not in FAMILIES:
                raise ValueError(
                    f"unknown family {family!r}{nearest(family, FAMILIES)}; known: {', '.join(FAMILIES)}"
                )
            if not place.strip():
                raise ValueError(f"{family}: empty, expected a folder, a file or s3://")
        return places
