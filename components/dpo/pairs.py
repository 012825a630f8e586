"""From preference pairs to two sequences of token ids each, with 0/1 weights.

What is trained, by kind: `response`: the one assistant turn; `masked_conversation`: the assistant turns, while tool
replies and the template's own tokens are context; `conversation`: all behind the prompt up to the end of the last
assistant turn, tool replies and template included; `step`: the first turn behind its first `shared` tokens.
Prefilled tokens count as the turn's own. The token that closes a turn counts where the turn ended by itself; for a
`step`, where it is among the sampled ids.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.contracts.errors import InputError, NothingToLearnError
from components.contracts.records import AssistantTurn, Message, PreferencePair
from components.contracts.tool_schemas import ToolSchema, parse_tools
from components.policy.prefix_tree import shared_length
from components.rollout.prompts import offers_tools, template_tools
from components.rollout.shown import check_pair, turn_ids

if TYPE_CHECKING:
    from components.policy.chat import Chat, Encoding

TOO_LONG, EQUAL, UNTRAINED = "longer than max_tokens", "equal sides", "a side without trained token"


@dataclass(frozen=True)
class Side:
    """One continuation behind its prompt, up to its last trained token; `weights[i]` is 1 where `ids[i]` is trained."""

    ids: array[int]
    weights: array[float]

    @property
    def trained(self) -> int:
        """Number of trained tokens."""
        return sum(weight > 0 for weight in self.weights)


@dataclass(frozen=True)
class TokenPair:
    """A pair as it is trained. number: its place in `PreparedPairs.pairs`. prompt: leading ids of both sides that
    are never trained."""

    id: str
    number: int
    prompt: int
    chosen: Side
    rejected: Side


@dataclass
class PreparedPairs:
    """The pairs to train on; read == len(pairs) + the sum of dropped. dropped: reason -> how many."""

    pairs: list[TokenPair] = field(default_factory=list)
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)  # of those to train on

    @property
    def tokens(self) -> int:
        """Tokens of one epoch, both sides whole."""
        return sum(len(side.ids) for pair in self.pairs for side in (pair.chosen, pair.rejected))

    @property
    def trained_tokens(self) -> int:
        """Tokens of one epoch that carry loss."""
        return sum(side.trained for pair in self.pairs for side in (pair.chosen, pair.rejected))


def prepare_pairs(pairs: Iterable[PreferencePair], chat: Chat, *, max_tokens: int) -> PreparedPairs:
    """Encode every pair; drop and count those that can't be trained on, cut none.

    Raises:
        InputError: a pair was sampled under another template, tokenizer or call format than `chat`'s, or is not
            what its kind says; no pair is left (how many there were, and why).
    """
    prepared = PreparedPairs()
    for pair in pairs:
        prepared.read += 1
        check_pair(pair, chat.template_hash, chat.call_format)
        chosen, rejected, prompt = encode_pair(pair, chat)
        reason = _reason_to_drop(pair, chosen, rejected, max_tokens)
        if reason:
            prepared.dropped[reason] += 1
            continue
        prepared.kinds[pair.kind] += 1
        prepared.pairs.append(TokenPair(pair.id, len(prepared.pairs), prompt, chosen, rejected))
    if not prepared.pairs:
        why = ", ".join(f"{reason} {count}x" for reason, count in prepared.dropped.most_common())
        raise NothingToLearnError(
            f"pairs: none of {prepared.read} pairs can be trained on{f' ({why})' if why else ''} with "
            f"max_tokens={max_tokens}; expected at least one"
        )
    return prepared


def encode_pair(pair: PreferencePair, chat: Chat) -> tuple[Side, Side, int]:
    """Chosen, rejected, and how many leading ids of both are the prompt (a step's shared tokens among them).

    Sampled ids are put in verbatim; turns of engines that gave none are encoded from their text.

    Raises:
        InputError: a side does not begin with an assistant turn, ids that are not those of the text, prompts or
            shared tokens that differ between the sides, or a prompt whose tools the template can't show.
    """
    tools = _shown_tools(pair, chat)
    sides = [
        _encode_side(pair, chat, tools, messages, turns)
        for messages, turns in ((pair.chosen, pair.chosen_turns), (pair.rejected, pair.rejected_turns))
    ]
    (chosen, prompt), (rejected, other) = sides
    common = shared_length(chosen.ids, rejected.ids)
    if prompt != other or prompt > common:
        raise InputError(
            f"pair {pair.id}: the {prompt} and {other} tokens before the trained ones differ between the sides after "
            f"{common}; expected the same prompt for both"
        )
    return chosen, rejected, prompt


def _shown_tools(pair: PreferencePair, chat: Chat) -> tuple[ToolSchema, ...]:
    offered = parse_tools(pair.tools) if offers_tools(pair.variant) else ()
    tools = template_tools(offered, pair.call_format, pair.native_tools)
    if tools and not chat.native_tools:
        raise InputError(
            f"pair {pair.id}: its prompt leaves the tools to the chat template, and base_model's shows none; make the "
            "pairs with this base model"
        )
    return tools


def _encode_side(
    pair: PreferencePair,
    chat: Chat,
    tools: Sequence[ToolSchema],
    messages: Sequence[Message],
    turns: Sequence[AssistantTurn],
) -> tuple[Side, int]:
    """The side, and how many of its ids come before the first that may be trained."""
    begin = len(pair.prompt)
    whole = (*pair.prompt, *messages)
    if not turns or turns[0].message != begin or not messages or messages[0].role != "assistant":
        raise InputError(f"pair {pair.id}: a side does not begin with an assistant turn behind the prompt")
    if pair.kind in ("response", "step") and (len(messages), len(turns)) != (1, 1):
        raise InputError(
            f"pair {pair.id}: kind {pair.kind!r} has one turn a side, here {len(messages)} messages"
        )
    sampled = turn_ids(f"pair {pair.id}", (*pair.prompt_turns, *turns), whole, tools, chat)
    encoding = chat.encode(whole, tools, sampled=sampled)
    first = next(span.start for span in encoding.spans if span.message == begin)
    prompt = first + pair.shared
    weights = _weigh(pair, encoding, {turn.message: turn for turn in turns}, chat, prompt)
    end = max((place + 1 for place, weight in enumerate(weights) if weight), default=prompt)
    return Side(array("i", encoding.ids[:end]), weights[:end]), prompt


def _weigh(
    pair: PreferencePair, encoding: Encoding, turns: dict[int, AssistantTurn], chat: Chat, prompt: int
) -> array[float]:
    """1.0 on trained tokens, one weight for each id."""
    weights = array("f", [0.0]) * len(encoding.ids)
    said = [span for span in encoding.spans if span.kind == "assistant" and span.message in turns]
    if pair.kind == "conversation":
        end = max(span.end for span in said)
        weights[prompt:end] = array("f", [1.0]) * (end - prompt)
    for span in said:
        start = max(span.start, prompt)
        weights[start : span.end] = array("f", [1.0]) * max(0, span.end - start)
        turn = turns[span.message]
        closed = encoding.ids[span.end - 1] in chat.stop_ids
        own = bool(turn.token_ids) and turn.token_ids[-1] in chat.stop_ids
        # A turn cut by the length limit did not end by itself, nor did a step in the middle of one.
        if closed and not own and (turn.finish_reason == "length" or pair.kind == "step"):
            weights[span.end - 1] = 0.0
    return weights


def _reason_to_drop(pair: PreferencePair, chosen: Side, rejected: Side, max_tokens: int) -> str:
    if chosen.ids == rejected.ids or _texts(pair.chosen) == _texts(pair.rejected):
        return EQUAL
    if not (any(chosen.weights[1:]) and any(rejected.weights[1:])):
        return UNTRAINED
    if max(len(chosen.ids), len(rejected.ids)) > max_tokens:
        return TOO_LONG
    return ""


def _texts(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]
