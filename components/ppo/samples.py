"""From labeled traces to prompts with the calls that are right there.

Every assistant turn that makes calls, all of them parsed and none of them faulty by its label, is a
gold for the messages before it. Whether the labeller masked it makes no difference.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from components.contracts.errors import InputError
from components.contracts.records import AssistantTurn, LabeledTrace, ToolCall
from components.contracts.tool_schemas import ToolSchema, parse_tools
from components.policy.engine import Conversation
from components.ppo.golds import read_alternatives, read_offered
from components.rollout.shown import check_trace, sampled_turns, shown_prompt

if TYPE_CHECKING:
    from components.policy.chat import Chat

Golds = tuple[tuple[dict[str, Any], ...], ...]  # alternatives, each one or more parallel calls

NAMED = 3  # examples kept of each reason
UNPARSED = "a call of the gold was not parsed"
TOOLS = "its tools can't be used"
GOLD = "its gold can't be used"
LONG_PROMPT = "its prompt is too long"
LONG_GOLD = "its gold is longer than max_new_tokens"


@dataclass(frozen=True)
class PromptSample:
    """A prompt and its accepted calls.

    id: trace and message, `<trace>:<message>`. prompt: ids up to and with the generation prompt.
    conversation: the same as messages. tools: those offered. golds: see `tool_call_reward`.
    """

    id: str
    prompt: tuple[int, ...]
    conversation: Conversation
    tools: tuple[ToolSchema, ...]
    golds: Golds


@dataclass
class PromptSet:
    """The samples, and what became of every assistant turn.

    turns == len(samples) + left_out + merged + without_calls + faulty + sum(quarantined.values()).
    merged: their prompt is another's; their gold became one more alternative there. left_out: more than
    `max_samples`. named: what the first few turns of each reason for the quarantine are.
    """

    samples: list[PromptSample] = field(default_factory=list)
    turns: int = 0
    left_out: int = 0
    merged: int = 0
    without_calls: int = 0
    faulty: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[str]] = field(default_factory=dict)


class _Unusable(Exception):
    """A turn that goes into quarantine: the reason, and what exactly."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def read_samples(
    traces: Iterable[LabeledTrace],
    chat: Chat,
    *,
    max_prompt_tokens: int,
    max_new_tokens: int,
    max_samples: int = 0,
    seed: int = 0,
) -> PromptSet:
    """The samples of all traces, in their order; equal prompts become one sample.

    max_samples: how many to keep, chosen by `seed`; 0 keeps all.

    Raises:
        InputError: a trace was sampled under another template, call format or tokenizer than `chat`'s,
            or no sample is left (how many turns there were, and why).
    """
    found = PromptSet()
    places: dict[tuple[int, ...], int] = {}
    for trace in traces:
        check_trace(trace, chat.template_hash, chat.call_format)
        for sample in _samples_of(trace, chat, found, max_prompt_tokens, max_new_tokens):
            place = places.setdefault(sample.prompt, len(found.samples))
            if place == len(found.samples):
                found.samples.append(sample)
                continue
            found.merged += 1
            known = found.samples[place]
            more = tuple(gold for gold in sample.golds if gold not in known.golds)
            found.samples[place] = replace(known, golds=known.golds + more)
    if not found.samples:
        raise InputError(_nothing_left(found))
    if 0 < max_samples < len(found.samples):
        chosen = sorted(random.Random(f"{seed}/samples").sample(range(len(found.samples)), max_samples))
        found.left_out = len(found.samples) - max_samples
        found.samples = [found.samples[place] for place in chosen]
    return found


def _samples_of(
    trace: LabeledTrace, chat: Chat, found: PromptSet, max_prompt_tokens: int, max_new_tokens: int
) -> Iterable[PromptSample]:
    problem = _unreadable(trace)
    messages, shown = shown_prompt(trace, chat) if not problem else ((), ())
    sampled = sampled_turns(trace, messages, shown, chat) if not problem else {}
    for turn, label in zip(trace.turns, trace.labels, strict=True):
        found.turns += 1
        calls = [executed.call for executed in trace.calls if executed.message == turn.message]
        if not calls:
            found.without_calls += 1
            continue
        if label.error is not None:  # nor does a call that the infrastructure lost show that it was right
            found.faulty += 1
            continue
        name = f"{trace.id}:{turn.message}"
        try:
            if problem:
                raise _Unusable(TOOLS, problem)
            tools, golds = _check_golds(trace, turn, calls)
            earlier = {message: ids for message, ids in sampled.items() if message < turn.message}
            asked = Conversation(tuple(messages[: turn.message]), shown, earlier)
            prompt = chat.encode(asked.messages, shown, sampled=earlier, generation_prompt=True).ids
            _check_lengths(len(prompt), len(sampled[turn.message]), max_prompt_tokens, max_new_tokens)
        except _Unusable as error:
            found.quarantined[error.reason] += 1
            examples = found.named.setdefault(error.reason, [])
            if len(examples) < NAMED:
                examples.append(f"{name}: {error.detail}" if error.detail else name)
            continue
        yield PromptSample(name, tuple(prompt), asked, tools, golds)


def _unreadable(trace: LabeledTrace) -> str:
    """What keeps the trace's tools from being read; empty when nothing does."""
    try:
        parse_tools(trace.tools)
    except InputError as error:
        return str(error)
    return ""


def _check_lengths(prompt: int, gold: int, max_prompt_tokens: int, max_new_tokens: int) -> None:
    if prompt > max_prompt_tokens:
        raise _Unusable(LONG_PROMPT, f"{prompt} tokens, {max_prompt_tokens} allowed")
    if gold > max_new_tokens:
        raise _Unusable(LONG_GOLD, f"{gold} tokens, {max_new_tokens} allowed")


def _check_golds(
    trace: LabeledTrace, turn: AssistantTurn, calls: Sequence[ToolCall | None]
) -> tuple[tuple[ToolSchema, ...], Golds]:
    """The offered tools and the accepted calls: the turn's own first, then the question's for its first turn."""
    parsed = [call for call in calls if call is not None]
    if len(parsed) < len(calls):
        raise _Unusable(UNPARSED)
    try:
        offered = read_offered(parse_tools(trace.tools))
    except InputError as error:
        raise _Unusable(TOOLS, str(error)) from error
    others = trace.question.golds if turn == trace.turns[0] else ()
    golds: list[tuple[dict[str, Any], ...]] = []
    for alternative in (tuple(parsed), *others):
        plain = tuple({"name": call.name, "arguments": call.arguments} for call in alternative)
        if plain not in golds:
            golds.append(plain)
    try:
        read_alternatives(golds, offered)
    except InputError as error:
        raise _Unusable(GOLD, str(error)) from error
    return offered, tuple(golds)


def _nothing_left(found: PromptSet) -> str:
    why = [f"{found.without_calls} make no call"] if found.without_calls else []
    why += [f"{found.faulty} are faulty by their label"] if found.faulty else []
    why += [
        f"of {count} {reason} ({found.named[reason][0]})" for reason, count in found.quarantined.most_common()
    ]
    because = f": {'; '.join(why)}" if why else ""
    return f"labeled: none of {found.turns} assistant turns is a prompt with gold calls{because}; expected at least one"
