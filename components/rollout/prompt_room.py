"""Whether a prompt leaves room for an answer in the model's context, where the engine knows both."""

import json
from typing import TYPE_CHECKING

from components.contracts.errors import InputError
from components.policy.engine import Conversation, Engine, MeasuresPrompts
from components.rollout.prompts import build_messages
from components.rollout.settings import RolloutSettings

if TYPE_CHECKING:
    from components.rollout.dialogue import Dialogue

_RENDERED = 4  # times its JSON: more than any template makes of a tool's schema


def check_room(dialogue: "Dialogue", engine: Engine, settings: RolloutSettings) -> None:
    """Refuse a first prompt that its tools make too long for the context.

    A prompt that is too long without any tool is left to the engine, which ends its turn by "length".

    Raises:
        InputError: names the question, its tokens and `max_tools`.
    """
    if not dialogue.tools or not isinstance(engine, MeasuresPrompts):
        return
    room = engine.context - settings.max_new_tokens
    conversation = dialogue.conversation(must_answer=False)
    if _most_tokens(conversation) <= room:
        return
    tokens = engine.count_tokens(conversation)
    if tokens <= room:
        return
    bare = build_messages(
        dialogue.question, (), settings.variant, engine.call_format, native_tools=engine.native_tools
    )
    if engine.count_tokens(Conversation(messages=bare)) > room:
        return
    now = f" below {settings.max_tools}" if settings.max_tools else ""
    raise InputError(
        f"question {dialogue.question.id!r}: its prompt with {len(dialogue.tools)} tools has {tokens} tokens, "
        f"but a context of {engine.context} leaves {max(room, 0)} beside max_new_tokens "
        f"{settings.max_new_tokens}; set max_tools{now} to offer only the most fitting tools"
    )


def _most_tokens(conversation: Conversation) -> int:
    """A bound that needs no tokenizer: no token is shorter than a byte, but for a message's few control tokens."""
    said = sum(len(message.content.encode()) + 32 for message in conversation.messages)
    return said + _RENDERED * len(json.dumps(conversation.tools))
