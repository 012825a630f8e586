"""From labeled traces to token ids with one weight a token.

A token's weight says how much it counts as a target: 0 for everything that the policy did not say
(system, user, tools, template) and for masked turns, else 1, or more on the key tokens of tool names
where the settings ask for that. Weights have the ids' length and are not shifted: the loss shifts.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from components.contracts.errors import NothingToLearnError
from components.contracts.records import LabeledTrace
from components.policy.key_tokens import key_weight
from components.rollout.shown import check_trace, sampled_turns, shown_prompt
from components.scoring.difficulty import Demand, demand_of_trace
from components.sft.key_turns import key_tokens_by_message
from components.sft.settings import KeyReading

if TYPE_CHECKING:
    from components.policy.chat import Chat, Encoding, Span


NO_DEMAND = Demand()  # of examples whose order nothing depends on


@dataclass(frozen=True)
class Example:
    """One trace as token ids; `weights[i]` >= 0 is how much predicting `ids[i]` counts.

    Arrays of 32-bit integers ("i") and floats ("f"): a corpus of them stays small in memory. demand: what makes it
    easy or hard, where that was asked for.
    """

    trace_id: str
    ids: array[int]
    weights: array[float]
    demand: Demand = NO_DEMAND


@dataclass
class Prepared:
    """The examples, and what became of every trace: read == len(examples) + untrained + too_long."""

    examples: list[Example] = field(default_factory=list)
    read: int = 0
    untrained: int = 0
    too_long: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # why turns of untrained traces were masked
    shortest_too_long: int = 0  # tokens
    key_tokens: int = 0  # of one epoch
    key_token_weight: float = 0.0  # the sum of their weights

    @property
    def tokens(self) -> int:
        """Tokens of one epoch, padding not counted."""
        return sum(len(example.ids) for example in self.examples)

    @property
    def supervised_tokens(self) -> int:
        """Tokens of one epoch that carry loss."""
        return sum(sum(weight > 0 for weight in example.weights) for example in self.examples)


def prepare_examples(
    traces: Iterable[LabeledTrace],
    chat: Chat,
    *,
    max_tokens: int,
    key_tokens: KeyReading = "none",
    max_key_weight: float = 9.0,
    demands: bool = False,
) -> Prepared:
    """Encode every trace that has a trained turn; drop and count those longer than `max_tokens`.

    key_tokens, max_key_weight: which tokens of tool names weigh more, and how much at most (see
    `components.policy.key_tokens`).

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
        example, keys = encode_with_keys(trace, chat, key_tokens, max_key_weight)
        if not any(example.weights[1:]):
            prepared.untrained += 1
            prepared.reasons["trained turns without a token"] += 1
            continue
        if len(example.ids) > max_tokens:
            prepared.too_long += 1
            prepared.shortest_too_long = min(prepared.shortest_too_long or len(example.ids), len(example.ids))
            continue
        if demands:
            example = replace(example, demand=demand_of_trace(trace))
        prepared.examples.append(example)
        prepared.key_tokens += len(keys)
        prepared.key_token_weight += sum(example.weights[position] for position in keys)
    if not prepared.examples:
        raise NothingToLearnError(_nothing_left(prepared, max_tokens))
    return prepared


def encode_trace(
    trace: LabeledTrace, chat: Chat, *, key_tokens: KeyReading = "none", max_key_weight: float = 9.0
) -> Example:
    """Token ids of the whole conversation, sampled ones verbatim, and their weights.

    Turns of engines that gave no ids (`retokenized`) are encoded from their text; a trace that has no
    other begins with the prompt that `chat`'s policy is shown, not with the one its engine saw.

    Raises:
        InputError: the ids are not those of the text, so another tokenizer gave them.
    """
    return encode_with_keys(trace, chat, key_tokens, max_key_weight)[0]


def encode_with_keys(
    trace: LabeledTrace, chat: Chat, key_tokens: KeyReading, max_key_weight: float
) -> tuple[Example, list[int]]:
    """As `encode_trace`; also the positions of the key tokens in the example's ids."""
    messages, tools = shown_prompt(trace, chat)
    sampled = sampled_turns(trace, messages, tools, chat)
    encoding = chat.encode(messages, tools, sampled=sampled)
    keys: dict[int, tuple[int, ...]] = {}
    if key_tokens != "none":
        keys = key_tokens_by_message(trace, chat, messages, tools, sampled, key_tokens)
    weights = weigh_tokens(trace, encoding, chat.stop_ids, keys, max_key_weight)
    positions = [span.start + key for span in _turns(encoding) for key in keys.get(span.message, ())]
    return Example(trace.id, array("i", encoding.ids), weights), positions


def weigh_tokens(
    trace: LabeledTrace,
    encoding: Encoding,
    stop_ids: Collection[int],
    keys: Mapping[int, Sequence[int]] | None = None,
    max_key_weight: float = 9.0,
) -> array[float]:
    """1.0 on the tokens of trained assistant turns, prefilled and stop tokens included; else 0.0.

    A turn that ran into the length limit did not stop by itself: the stop token that closes it in
    the conversation is not trained.

    keys: message -> positions of key tokens in that turn. They weigh CLIP(|NK| / |K|, 1, max_key_weight),
    where NK are the turn's other trained tokens.
    """
    trained = {label.message for label in trace.labels if label.trained}
    cut = {turn.message for turn in trace.turns if turn.finish_reason == "length"}
    weights = array("f", [0.0]) * len(encoding.ids)
    for span in _turns(encoding):
        if span.message not in trained:
            continue
        end = span.end
        if span.message in cut and encoding.ids[end - 1] in stop_ids:
            end -= 1
        weights[span.start : end] = array("f", [1.0]) * (end - span.start)
        found = (keys or {}).get(span.message, ())
        for key in found:
            weights[span.start + key] = key_weight(len(found), end - span.start - len(found), max_key_weight)
    return weights


def _turns(encoding: Encoding) -> Iterator[Span]:
    return (span for span in encoding.spans if span.kind == "assistant")


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
