"""From labeled traces to token ids with one weight a token.

A token's weight says how much it counts as a target: 0 for everything that the policy did not say
(system, user, tools, template) and for masked turns. Weights have the ids' length and are not
shifted: the loss shifts.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.contracts.errors import InputError
from components.contracts.records import LabeledTrace, Message
from components.contracts.tool_schemas import ToolSchema, parse_tools
from components.rollout.prompts import build_messages, offers_tools, template_tools

if TYPE_CHECKING:
    from components.policy.chat import Chat, Encoding


@dataclass(frozen=True)
class Example:
    """One trace as token ids; `weights[i]` >= 0 is how much predicting `ids[i]` counts.

    Arrays of 32-bit integers ("i") and floats ("f"): a corpus of them stays small in memory.
    """

    trace_id: str
    ids: array[int]
    weights: array[float]


@dataclass
class Prepared:
    """The examples, and what became of every trace: read == len(examples) + untrained + too_long."""

    examples: list[Example] = field(default_factory=list)
    read: int = 0
    untrained: int = 0
    too_long: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # why turns of untrained traces were masked
    shortest_too_long: int = 0  # tokens

    @property
    def tokens(self) -> int:
        """Tokens of one epoch, padding not counted."""
        return sum(len(example.ids) for example in self.examples)

    @property
    def supervised_tokens(self) -> int:
        """Tokens of one epoch that carry loss."""
        return sum(sum(weight > 0 for weight in example.weights) for example in self.examples)


def prepare_examples(traces: Iterable[LabeledTrace], chat: Chat, *, max_tokens: int) -> Prepared:
    """Encode every trace that has a trained turn; drop and count those longer than `max_tokens`.

    Raises:
        InputError: a trace was sampled under another template or call format than `chat`'s, its labels
            don't fit its turns, or no example is left (how many traces there were, and why).
    """
    prepared = Prepared()
    for trace in traces:
        prepared.read += 1
        check_trace(trace, chat.template_hash, chat.call_format)
        if not any(label.trained for label in trace.labels):
            prepared.untrained += 1
            prepared.reasons.update(label.reason or "no reason given" for label in trace.labels)
            continue
        example = encode_trace(trace, chat)
        if not any(example.weights[1:]):
            prepared.untrained += 1
            prepared.reasons["trained turns without a token"] += 1
            continue
        if len(example.ids) > max_tokens:
            prepared.too_long += 1
            prepared.shortest_too_long = min(prepared.shortest_too_long or len(example.ids), len(example.ids))
            continue
        prepared.examples.append(example)
    if not prepared.examples:
        raise InputError(_nothing_left(prepared, max_tokens))
    return prepared


def encode_trace(trace: LabeledTrace, chat: Chat) -> Example:
    """Token ids of the whole conversation, sampled ones verbatim, and their weights.

    Turns of engines that gave no ids (`retokenized`) are encoded from their text; a trace that has no
    other begins with the prompt that `chat`'s policy is shown, not with the one its engine saw.

    Raises:
        InputError: the ids are not those of the text, so another tokenizer gave them.
    """
    messages, tools = shown_prompt(trace, chat)
    sampled: dict[int, Sequence[int]] = {}
    for turn in trace.turns:
        if turn.retokenized:
            sampled[turn.message] = encode_turn(chat, messages[: turn.message + 1], tools, sampled)
            continue
        sampled[turn.message] = turn.token_ids
        if chat.decode(turn.token_ids) != messages[turn.message].content:
            raise InputError(
                f"trace {trace.id}: message {turn.message}: its token ids do not decode to its text; expected "
                "traces sampled with the tokenizer of base_model"
            )
    encoding = chat.encode(messages, tools, sampled=sampled)
    weights = weigh_tokens(trace, encoding, chat.stop_ids)
    return Example(trace.id, array("i", encoding.ids), weights)


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


def shown_prompt(trace: LabeledTrace, chat: Chat) -> tuple[tuple[Message, ...], tuple[ToolSchema, ...]]:
    """The messages to train on, and the tools that the chat template renders before them."""
    offered = parse_tools(trace.tools) if offers_tools(trace.prompt) else ()
    if not _free_of_ids(trace):
        return trace.messages, template_tools(offered, trace.call_format, trace.native_tools)
    begin = build_messages(
        trace.question, offered, trace.prompt, trace.call_format, native_tools=chat.native_tools
    )
    messages = (*begin, *trace.messages[len(begin) :])
    return messages, template_tools(offered, trace.call_format, chat.native_tools)


def weigh_tokens(trace: LabeledTrace, encoding: Encoding, stop_ids: Collection[int]) -> array[float]:
    """1.0 on the tokens of trained assistant turns, prefilled and stop tokens included; else 0.0.

    A turn that ran into the length limit did not stop by itself: the stop token that closes it in
    the conversation is not trained.
    """
    trained = {label.message for label in trace.labels if label.trained}
    cut = {turn.message for turn in trace.turns if turn.finish_reason == "length"}
    weights = array("f", [0.0]) * len(encoding.ids)
    for span in encoding.spans:
        if span.kind != "assistant" or span.message not in trained:
            continue
        end = span.end
        if span.message in cut and encoding.ids[end - 1] in stop_ids:
            end -= 1
        weights[span.start : end] = array("f", [1.0]) * (end - span.start)
    return weights


def check_trace(trace: LabeledTrace, template_hash: str, call_format: str) -> None:
    """Refuse a trace that can't be trained token-exactly.

    Text of an engine that returned no ids has no template of its own; an empty hash is fine there.

    Raises:
        InputError: names the trace, what differs and both values.
    """
    if trace.call_format != call_format:
        raise InputError(
            f"trace {trace.id}: call_format is {trace.call_format!r}, the policy's is {call_format!r}; "
            "generate the traces again in that format"
        )
    if trace.template_hash != template_hash and not _free_of_ids(trace):
        raise InputError(
            f"trace {trace.id}: sampled under chat template {trace.template_hash!r}, the policy's is "
            f"{template_hash!r}; generate the traces again with this base model"
        )
    if [label.message for label in trace.labels] != [turn.message for turn in trace.turns]:
        raise InputError(
            f"trace {trace.id}: labels are for messages {[label.message for label in trace.labels]}, "
            f"expected one for each assistant turn {[turn.message for turn in trace.turns]}"
        )


def _free_of_ids(trace: LabeledTrace) -> bool:
    """Whether the trace is text from an engine whose template and tokens are not known."""
    return not trace.template_hash and all(turn.retokenized for turn in trace.turns)


def _nothing_left(prepared: Prepared, max_tokens: int) -> str:
    why = []
    if prepared.untrained:
        reasons = ", ".join(f"{reason!r} {count}x" for reason, count in prepared.reasons.most_common(3))
        why.append(
            f"{prepared.untrained} have no turn marked for training" + (f" ({reasons})" if reasons else "")
        )
    if prepared.too_long:
        why.append(
            f"{prepared.too_long} are longer than max_tokens={max_tokens} "
            f"(the shortest has {prepared.shortest_too_long} tokens)"
        )
    because = f": {'; '.join(why)}" if why else ""
    return f"labeled: none of {prepared.read} traces can be trained on{because}; expected at least one"
