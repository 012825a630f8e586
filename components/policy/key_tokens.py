"""Key tokens of tool names and their weights (TL-Training, Section 3.2).

    K  = {t^m : t^m is a key token},  NK = all other tokens of the turn
    w^m = CLIP(|NK| / |K|, 1, w_max) for t^m in K, otherwise 1

The first token of a called tool's name is a key token. Which later ones are depends on the tools that
the prompt offers, each of which is compared with the call as the model would have written it: the
same turn with that tool's name put in the called one's place, so that tokens which reach over the
name's borders are compared as they are. Names are found through character offsets, never by matching
tokens.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from components.contracts.tool_calls import ParsedCall, Span
from components.contracts.tool_schemas import ToolSchema, tool_name

Reading = Literal["first_divergence", "shared_prefix"]
Encode = Callable[[str], Sequence[int]]
Locate = Callable[[Sequence[int]], Sequence[Span]]


def find_key_tokens(
    token_ids: Sequence[int],
    text: str,
    calls: Iterable[ParsedCall],
    tools: Sequence[ToolSchema],
    reading: Reading,
    *,
    encode: Encode,
    locate: Locate,
) -> tuple[int, ...]:
    """K of one assistant turn: positions in `token_ids`, ascending; none for a turn without a call.

    Let L be the number of tokens that another candidate's name shares with the called one's from the
    name's first token on. Besides that first token, the key tokens are, over all candidates with L > 0,

        first_divergence: the token at L, the first that tells the two apart (behind the name, where the
            called tool's name is how the other's begins)
        shared_prefix: the tokens of the name before L

    token_ids: of the turn, a stop token at the end or not. text: what they decode to. calls: parsed
    from `text`. tools: offered in the prompt, the called ones among them. encode: the ids of any text
    in this turn's place. locate: each token's (start, end) in the decoded text.
    """
    names = [tool_name(tool) for tool in tools]
    ids, plain = tuple(token_ids), tuple(encode(text))
    offsets = locate(ids)
    # What was sampled need not be how the tokenizer writes it; others are compared with the latter.
    plain_offsets = offsets if plain == ids[: len(plain)] else locate(plain)
    keys: set[int] = set()
    for call in calls:
        first = tokens_over(offsets, call.name_span)[0]
        keys.add(first)
        name = tokens_over(plain_offsets, call.name_span)
        if not name:  # a tokenizer that can't write this text
            continue
        lengths = [
            first_difference(plain, tuple(encode(renamed(text, call.name_span, other)))) - name[0]
            for other in names
            if other != call.call.name and may_share_tokens(call.call.name, other)
        ]
        for position in key_positions(name, [length for length in lengths if length > 0], reading):
            length = position - name[0] + 1
            if ids[first : first + length] == plain[name[0] : position + 1]:
                keys.add(first + length - 1)
            elif position < len(plain):
                start = max(plain_offsets[position][0], call.name_span[0])
                keys.update(tokens_over(offsets, (start, start + 1))[:1])
    return tuple(sorted(keys))


def key_positions(name: Sequence[int], shared: Sequence[int], reading: Reading) -> set[int]:
    """Positions of the key tokens behind the first one.

    name: positions of the name's tokens. shared: L > 0 of each candidate that shares tokens with it.
    """
    if reading == "first_divergence":
        return {name[0] + length for length in shared}
    return {position for position in name if position - name[0] < max(shared, default=0)}


def key_weight(keys: int, others: int, w_max: float) -> float:
    """w = CLIP(|NK| / |K|, 1, w_max), for |K| = keys >= 1 and |NK| = others; w_max >= 1."""
    return min(max(others / keys, 1.0), w_max)


def tokens_over(offsets: Sequence[Span], span: Span) -> list[int]:
    """Positions of the tokens that hold a character of `span`."""
    return [i for i, (start, end) in enumerate(offsets) if start < span[1] and end > span[0]]


def first_difference(ids: Sequence[int], other: Sequence[int]) -> int:
    """The first position where the two differ; the shorter one's length where it is the other's beginning."""
    pairs = enumerate(zip(ids, other, strict=False))
    return next((i for i, (one, two) in pairs if one != two), min(len(ids), len(other)))


def renamed(text: str, name_span: Span, name: str) -> str:
    """The turn's text with another tool's name in place of the called one's, escaped as that one is."""
    start, end = name_span
    if text[start - 1 : start] == '"':  # the JSON formats'; no name of the others stands behind a quote
        name = json.dumps(name, ensure_ascii="\\u" in text[start:end])[1:-1]
    return text[:start] + name + text[end:]


def may_share_tokens(name: str, other: str) -> bool:
    """False where no tokenizer can begin the two with the same token; saves encoding most of a long list.

    Letters outside ASCII can share bytes, or be unknown all alike.
    """
    one, two = name[0], other[0]
    return not (one.isascii() and two.isascii()) or one.casefold() == two.casefold()
