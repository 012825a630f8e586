"""From token ids to where each token lies in the decoded text."""

from collections.abc import Callable, Sequence
from itertools import pairwise

Decode = Callable[[Sequence[int]], str]

WINDOW = 8  # tokens before a new one that are decoded with it: decoders look at neighbours
UNFINISHED = "\ufffd"
LONGEST_LETTER = 4  # bytes, and so tokens


class TextGrower:
    """The decoded text of a growing list of token ids, decoded a window at a time."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._borders = [0]  # how many tokens there were each time the text was complete
        self.text = ""

    @property
    def pending(self) -> bool:
        """The last tokens are the first bytes of a letter that isn't complete yet."""
        return self._borders[-1] < len(self._ids)

    def add(self, token_id: int) -> str:
        """Take one more token; returns the text so far, without a letter whose bytes aren't complete."""
        self._ids.append(token_id)
        settled = self._borders[-1]
        first = self._borders[max(0, len(self._borders) - WINDOW)]
        before = self._decode(self._ids[first:settled])
        after = self._decode(self._ids[first:])
        # Bytes that stay broken are kept as they are.
        if not after.endswith(UNFINISHED) or len(self._ids) - settled >= LONGEST_LETTER:
            self.text += after[len(before) :]
            self._borders.append(len(self._ids))
        return self.text


def token_offsets(decode: Decode, token_ids: Sequence[int]) -> list[tuple[int, int]]:
    """The (start, end) of each token in `decode(token_ids)`, in characters.

    Tokens that together make one letter all get that letter's offsets. The offsets cover the text
    without gaps.
    """
    grower = TextGrower(decode)
    offsets: list[tuple[int, int]] = []
    waiting = 0
    for token_id in token_ids:
        start = len(grower.text)
        end = len(grower.add(token_id))
        waiting += 1
        if not grower.pending:
            offsets += [(start, end)] * waiting
            waiting = 0
    text = decode(token_ids)
    if waiting:
        offsets += [(len(grower.text), len(text))] * waiting
    return offsets if text.startswith(grower.text) else _by_prefixes(decode, token_ids, text)


def _by_prefixes(decode: Decode, token_ids: Sequence[int], text: str) -> list[tuple[int, int]]:
    """The same for text with broken bytes, which some decoders let spoil the letters beside them."""
    ends = [0]
    for count in range(1, len(token_ids)):
        letters = zip(decode(token_ids[:count]), text, strict=False)
        agreed = next((i for i, (one, other) in enumerate(letters) if one != other), len(text))
        ends.append(max(ends[-1], agreed))
    ends.append(len(text))
    return list(pairwise(ends))
