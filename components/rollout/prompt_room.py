"""Whether first prompts leave room for an answer in the model's context, where the engine knows both.

All questions are looked at before the first of them is sampled: hours later is too late to say it.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence

from components.contracts.errors import InputError
from components.contracts.records import Question
from components.contracts.tool_schemas import ToolSchema
from components.policy.engine import Conversation, Engine, MeasuresPrompts
from components.rollout.prefill import first_prefill
from components.rollout.prompts import build_messages, offers_tools, template_tools
from components.rollout.settings import RolloutSettings

Tools = tuple[ToolSchema, ...]
_RENDERED = 4  # times its JSON: more than any template makes of a tool's schema
_CONTROL = 32  # more tokens than any template puts around a message


def check_room(
    asked: Sequence[tuple[Question, int]],
    offer: Callable[[Question], Tools],
    engine: Engine,
    settings: RolloutSettings,
) -> None:
    """Refuse first prompts that their tools make too long for the context.

    asked: questions with sample numbers. offer: the tools of a question. A prompt that is too long without any
    tool is left to the engine, which ends its turn by "length". Prompts are counted only where a bound from their
    bytes, or from another prompt with the same tools, does not tell already that they fit.

    Raises:
        InputError: names the first such question, its tokens, how many there are, and `max_tools`.
    """
    if not isinstance(engine, MeasuresPrompts) or not offers_tools(settings.variant):
        return
    room = engine.context - settings.max_new_tokens
    known: tuple[Tools, int] = (), 0  # tools, and tokens of a prompt with them
    refused: list[tuple[Question, int, int]] = []
    questions = {id(question): question for question, _ in asked}
    samples: dict[int, list[int]] = defaultdict(list)
    for question, sample in asked:
        samples[id(question)].append(sample)
    for key, question in questions.items():
        tools = offer(question)
        longest = max(
            (first_prefill(question, sample, tools, engine.call_format, settings) for sample in samples[key]),
            key=lambda text: len(text.encode()),
        )
        own = _own_most_tokens(question, longest)
        if not tools or (known[0] is tools and known[1] + own <= room):
            continue
        conversation = _first_conversation(question, tools, longest, engine, settings)
        if _most_tokens(conversation) <= room:
            continue
        tokens = engine.count_tokens(conversation)
        known = tools, tokens
        if tokens <= room:
            continue
        if engine.count_tokens(_first_conversation(question, (), "", engine, settings)) <= room:
            refused.append((question, len(tools), tokens))
    if not refused:
        return
    first, offered, tokens = refused[0]
    now = f" below {settings.max_tools}" if settings.max_tools else ""
    raise InputError(
        f"question {first.id!r}: its prompt with {offered} tools has {tokens} tokens, but a context of "
        f"{engine.context} leaves {max(room, 0)} beside max_new_tokens {settings.max_new_tokens}; of "
        f"{len(questions)} questions {len(refused)} do not fit; set max_tools{now} to offer only the most fitting "
        "tools"
    )


def _first_conversation(
    question: Question, tools: Tools, prefill: str, engine: Engine, settings: RolloutSettings
) -> Conversation:
    form, native = engine.call_format, engine.native_tools
    messages = build_messages(question, tools, settings.variant, form, native)
    return Conversation(messages=messages, tools=template_tools(tools, form, native), prefill=prefill)


def _most_tokens(conversation: Conversation) -> int:
    """A bound that needs no tokenizer: no token is shorter than a byte, but for a message's few control tokens."""
    said = sum(len(message.content.encode()) + _CONTROL for message in conversation.messages)
    return said + len(conversation.prefill.encode()) + _RENDERED * len(json.dumps(conversation.tools))


def _own_most_tokens(question: Question, prefill: str) -> int:
    """The same for what a prompt has beyond others with its tools: history, text, prefill; and where these meet."""
    said = [*(message.content for message in question.history), question.text]
    return sum(len(text.encode()) + _CONTROL for text in said) + len(prefill.encode()) + _CONTROL
