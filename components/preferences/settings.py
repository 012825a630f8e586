"""Settings of the preference pairs; the defaults are the self-training paper's contrast."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from components.contracts.settings import StageSettings

Contrast = Literal["tool", "both"]


class PreferencesSettings(StageSettings):
    """Which traces make pairs, how many, and how much of a conversation a pair holds."""

    stage: ClassVar[str] = "preferences"
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {
        "self-training": {},
        "demo": {
            "contrast": "both",
            "require_answerable": True,
            "reject_cut_off": True,
            "max_pairs_per_question": 2,
        },
        "tl-training": {},
        "demo_calls": {},
    }

    kind: Literal["response", "conversation", "masked_conversation"] = Field(
        default="masked_conversation",
        description=(
            "response: the first assistant turn alone; conversation: all messages, the tools' text trained "
            "too; masked_conversation: all messages, assistant turns trained"
        ),
    )
    contrast: Contrast = Field(
        default="tool",
        description=(
            "tool: right with a tool over wrong without (the paper's); both: questions that the model knows "
            "give right without a call over wrong with one instead, which teaches when not to call"
        ),
    )
    min_direct_share: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description=(
            "contrast both: a question is known if at least this share of its answers without a call, from "
            "the prompt with tools, are right"
        ),
    )
    require_answerable: bool = Field(
        default=False,
        description="a chosen trace with calls needs a reply that holds the answer: otherwise the tool did not help",
    )
    reject_cut_off: bool = Field(
        default=False,
        description=(
            "a wrong answer that ran into the token limit can be rejected, too; the stop token that closes it in "
            "the conversation is not trained"
        ),
    )
    max_pairs_per_question: int = Field(default=4, ge=1, description="its traces are used evenly")
    seed: int = Field(default=19, ge=0, description="of which traces of a question meet")
