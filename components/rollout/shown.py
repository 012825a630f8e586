"""What the policy is shown when it learns from a trace: messages, tools and the ids of earlier turns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError, NothingToLearnError
from components.contracts.jsonl import read_records
from components.contracts.records import AssistantTurn, LabeledTrace, Message, PreferencePair, Trace
from components.contracts.tool_schemas import ToolSchema, parse_tools
from components.rollout.prompts import build_messages, offers_tools, template_tools

if TYPE_CHECKING:
    from components.policy.chat import Chat


def peek_call_format(traces: Artifact, needed: str) -> tuple[str, Iterator[LabeledTrace]]:
    """The call format of the first trace of a `labeled_traces/1`, and all its traces.

    needed: what at least one of them has to have, for the error.

    Raises:
        NothingToLearnError: there is no trace.
    """
    path = traces.path("traces.jsonl")
    records = read_records(path, LabeledTrace)
    first = next(records, None)
    if first is None:
        raise NothingToLearnError(f"labeled: {path} holds no traces; expected at least one with {needed}")
    return first.call_format, itertools.chain([first], records)


def call_format_of(artifact: Artifact, name: str, type_: type[LabeledTrace] | type[PreferencePair]) -> str:
    """The call format of the first record of one of the artifact's files; empty where it has none."""
    first = next(read_records(artifact.path(name), type_), None)
    return first.call_format if first is not None else ""


def shown_prompt(trace: Trace, chat: Chat) -> tuple[tuple[Message, ...], tuple[ToolSchema, ...]]:
    """The messages to train on, and the tools that the chat template renders before them.

    A trace of text alone begins with the prompt that `chat`'s policy is shown, not its engine's.
    """
    offered = parse_tools(trace.tools) if offers_tools(trace.prompt) else ()
    if not _free_of_ids(trace):
        return trace.messages, template_tools(offered, trace.call_format, trace.native_tools)
    begin = build_messages(
        trace.question, offered, trace.prompt, trace.call_format, native_tools=chat.native_tools
    )
    messages = (*begin, *trace.messages[len(begin) :])
    return messages, template_tools(offered, trace.call_format, chat.native_tools)


def sampled_turns(
    trace: Trace, messages: Sequence[Message], tools: Sequence[ToolSchema], chat: Chat
) -> dict[int, Sequence[int]]:
    """Message index -> the ids of that assistant turn, sampled ones verbatim, for `Chat.encode`.

    messages, tools: of `shown_prompt`. See `turn_ids`.
    """
    return turn_ids(f"trace {trace.id}", trace.turns, messages, tools, chat)


def turn_ids(
    name: str,
    turns: Iterable[AssistantTurn],
    messages: Sequence[Message],
    tools: Sequence[ToolSchema],
    chat: Chat,
) -> dict[int, Sequence[int]]:
    """Message index -> the ids of that assistant turn, sampled ones verbatim, for `Chat.encode`.

    name: of whose turns they are, in errors. Turns of engines that gave no ids are encoded from their text.

    Raises:
        InputError: the ids are not those of the text, so another tokenizer gave them.
    """
    sampled: dict[int, Sequence[int]] = {}
    for turn in turns:
        if turn.retokenized:
            sampled[turn.message] = encode_turn(chat, messages[: turn.message + 1], tools, sampled)
            continue
        sampled[turn.message] = turn.token_ids
        if chat.decode(turn.token_ids) != messages[turn.message].content:
            raise InputError(
                f"{name}: message {turn.message}: its token ids do not decode to its text; expected "
                "traces sampled with the tokenizer of base_model"
            )
    return sampled


def encode_turn(
    chat: Chat,
    messages: Sequence[Message],
    tools: Sequence[ToolSchema],
    sampled: Mapping[int, Sequence[int]],
) -> list[int]:
    """Ids of the last message, an assistant's, behind the generation prompt as the policy will see it.

    Encoded together with its surroundings, the text's first characters could merge with the prompt's last.
    """
    *before, turn = messages
    if not turn.content:
        return []
    encoding = chat.encode(before, tools, sampled=sampled, prefill=turn.content)
    return encoding.ids[encoding.spans[-1].start :]


def check_trace(trace: LabeledTrace, template_hash: str, call_format: str) -> None:
    """Refuse a trace that can't be trained token-exactly.

    Text of an engine that returned no ids has no template of its own; an empty hash is fine there.

    Raises:
        InputError: names the trace, what differs and both values.
    """
    free = _free_of_ids(trace)
    _check_encoding(
        f"trace {trace.id}", trace.call_format, trace.template_hash, call_format, template_hash, free=free
    )
    if [label.message for label in trace.labels] != [turn.message for turn in trace.turns]:
        raise InputError(
            f"trace {trace.id}: labels are for messages {[label.message for label in trace.labels]}, "
            f"expected one for each assistant turn {[turn.message for turn in trace.turns]}"
        )


def check_pair(pair: PreferencePair, template_hash: str, call_format: str) -> None:
    """`check_trace` for a pair, whose turns all come from one kind of engine or another.

    Raises:
        InputError: names the pair, what differs and both values.
    """
    turns = (*pair.prompt_turns, *pair.chosen_turns, *pair.rejected_turns)
    free = not pair.template_hash and all(turn.retokenized for turn in turns)
    _check_encoding(
        f"pair {pair.id}", pair.call_format, pair.template_hash, call_format, template_hash, free=free
    )


def _check_encoding(
    name: str, own_format: str, own_hash: str, call_format: str, template_hash: str, *, free: bool
) -> None:
    """Refuse what was written in another call format or, unless `free` of ids, under another template."""
    if own_format != call_format:
        raise InputError(
            f"{name}: call_format is {own_format!r}, the policy's is {call_format!r}; "
            "generate the traces again in that format"
        )
    if own_hash != template_hash and not free:
        raise InputError(
            f"{name}: sampled under chat template {own_hash!r}, the policy's is "
            f"{template_hash!r}; generate the traces again with this base model"
        )


def _free_of_ids(trace: Trace) -> bool:
    """Whether the trace is text from an engine whose template and tokens are not known."""
    return not trace.template_hash and all(turn.retokenized for turn in trace.turns)
