"""What samples from a policy: one interface, whatever runs the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from components.contracts.errors import InputError
from components.contracts.records import FinishReason, Message
from components.policy.settings import EngineSettings

if TYPE_CHECKING:
    from components.contracts.tool_schemas import ToolSchema


@dataclass(frozen=True)
class Conversation:
    """What an assistant turn is to be sampled for.

    sampled: message index -> ids of earlier assistant turns, kept as they were. prefill: text that
    the turn begins with.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...] = ()
    sampled: Mapping[int, Sequence[int]] = field(default_factory=dict)
    prefill: str = ""


@dataclass(frozen=True)
class Sampling:
    """temperature 0 is greedy; top_p in (0, 1]; max_new_tokens counts no prefilled ones."""

    temperature: float = 0.6
    top_p: float = 0.9
    max_new_tokens: int = 512


@dataclass(frozen=True)
class Completion:
    """One sampled turn.

    text: prefill included, stop token not. token_ids: the first `prefilled` were given; the last is a
    stop token when finish_reason is "stop"; empty when `retokenized`. logprobs: aligned, in nats, under
    the whole distribution at temperature 1; 0.0 for prefilled tokens.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    prefilled: int = 0
    retokenized: bool = False


class Engine(Protocol):
    """Samples assistant turns. template_hash is empty when the template is not known here."""

    base_model: str
    template_hash: str
    call_format: str
    native_tools: bool

    def complete(
        self, conversations: Sequence[Conversation], sampling: Sampling, *, seeds: Sequence[int]
    ) -> list[Completion]:
        """One turn for each conversation, in order; row i depends on seeds[i], not on its neighbours."""
        ...


@runtime_checkable
class MeasuresPrompts(Protocol):
    """An engine that knows how long a prompt is. context: tokens the model can take, prompt and turn together."""

    context: int

    def count_tokens(self, conversation: Conversation) -> int:
        """Tokens of the prompt for the conversation's next turn, prefill included."""
        ...


def served_model(settings: EngineSettings) -> str:
    """What a server serves under the name that is used: the name, and the model behind it where it tells; empty for
    engines in this process.

    Raises:
        InputError: as `open_engine`.
    """
    if settings.kind != "openai":
        return ""
    from components.policy.openai_engine import served_model_of

    return served_model_of(settings)


def open_engine(base_model: str, adapter: Path | None, settings: EngineSettings) -> Engine:
    """The engine that `settings` asks for.

    adapter: folder of an `adapter/1`; for "openai" it must be None: the server holds its own.

    Raises:
        InputError: the model can't be loaded, the server can't be reached, or the adapter was made for
            another template or call format.
    """
    match settings.kind:
        case "transformers":
            from components.policy.transformers_engine import TransformersEngine

            return TransformersEngine.open(base_model, adapter, settings)
        case "openai":
            from components.policy.openai_engine import OpenAIEngine

            if adapter is not None:
                raise InputError(
                    "engine: kind 'openai' can't take an adapter; serve the adapter and name it as the model"
                )
            return OpenAIEngine.open(base_model, settings)
        case "vllm":
            from components.policy.vllm_engine import VllmEngine

            return VllmEngine.open(base_model, adapter, settings)
