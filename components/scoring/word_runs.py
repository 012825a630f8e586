"""Where passages occur in texts, whole or by a long run of their words, in time linear in the texts.

Runs are compared by 64-bit rolling hashes of their words and every equal hash is verified word by word, so that
nothing is found that is not there. Texts are streamed; memory grows with the words of the passages only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

TEMPLATE = 25
LETTERS = 3  # one word in so many of a run has letters, at least
_BASE = 0x9E3779B97F4A7C15 | 1  # any odd number has an inverse modulo 2**64
_FILTER_BITS = 22

Hashes = npt.NDArray[np.uint64]


class Passage(NamedTuple):
    """What is looked for.

    run: so many of its words in a row are enough; 0 or at least its length: all of it. sharers: a run that more
    different passages share says nothing about this one.
    """

    words: tuple[str, ...]
    run: int
    sharers: int = TEMPLATE


class Found(NamedTuple):
    """One occurrence: which passage, and the words from `start` to `end` of the text."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True)
class _Table:
    """The windows of one length, sorted by hash.

    passages, offsets: whose window it is and where it begins there. whole: all of the passage has to be around it.
    """

    length: int
    hashes: Hashes
    passages: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    whole: npt.NDArray[np.bool_]


class RunIndex:
    """Finds passages in texts.

    A run that many different passages share (`Passage.sharers`) is a template's, and one that is mostly numbers may
    be anybody's; both say nothing about any of them. Of a passage that has no other run, all has to be there.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self._ids = {word: _word_id(word) for word in {word for one in passages for word in one.words}}
        self._powers = _Powers()
        windows: dict[int, list[tuple[int, int]]] = {}
        for number, one in enumerate(passages):
            if one.words:
                length = min(one.run or len(one.words), len(one.words))
                windows.setdefault(length, []).append((number, len(one.words)))
        self._tables = [self._table(length, owners) for length, owners in sorted(windows.items())]
        self._filter = np.zeros(1 << _FILTER_BITS, dtype=np.bool_)
        for table in self._tables:
            self._filter[_short(table.hashes)] = True

    def find(self, words: Sequence[str]) -> list[Found]:
        """Every occurrence in a text, runs of a passage that overlap joined; by passage, then place."""
        joined: dict[int, list[Found]] = {}
        for one in sorted(set(self._find(words))):
            passage = self._passages[one.passage]
            known = joined.setdefault(one.passage, [])
            if known and one.start < known[-1].end and 0 < passage.run < len(passage.words):
                known[-1] = Found(one.passage, known[-1].start, max(known[-1].end, one.end))
            else:
                known.append(one)
        return [one for found in joined.values() for one in found]

    def _find(self, words: Sequence[str]) -> Iterator[Found]:
        ids = self._ids_of(words)
        unknown = np.concatenate(([0], np.cumsum(ids == 0)))
        sums = self._powers.sums(ids)
        for table in self._tables:
            length = table.length
            if len(words) < length:
                continue
            clear = np.flatnonzero(unknown[length:] == unknown[:-length])
            if not len(clear):
                continue
            hashes = self._powers.windows(sums, length, clear)
            likely = np.flatnonzero(self._filter[_short(hashes)])
            first = np.searchsorted(table.hashes, hashes[likely], side="left")
            last = np.searchsorted(table.hashes, hashes[likely], side="right")
            for position, low, high in zip(
                clear[likely].tolist(), first.tolist(), last.tolist(), strict=True
            ):
                for entry in range(low, high):
                    found = self._verified(table, entry, words, position)
                    if found is not None:
                        yield found

    def _verified(self, table: _Table, entry: int, words: Sequence[str], position: int) -> Found | None:
        number, offset = int(table.passages[entry]), int(table.offsets[entry])
        passage = self._passages[number].words
        if table.whole[entry]:
            start, wanted = position - offset, passage
        else:
            start, wanted = position, passage[offset : offset + table.length]
        end = start + len(wanted)
        if start < 0 or tuple(words[start:end]) != wanted:
            return None
        return Found(number, start, end)

    def _table(self, length: int, owners: Sequence[tuple[int, int]]) -> _Table:
        hashes, passages, offsets, wordy = [], [], [], []
        for number, words in owners:
            passage = self._passages[number].words
            sums = self._powers.sums(self._ids_of(passage))
            starts = np.arange(words - length + 1)
            letters = np.cumsum([0, *(any(map(str.isalpha, word)) for word in passage)])
            wordy.append(letters[starts + length] - letters[starts] >= length // LETTERS)
            hashes.append(self._powers.windows(sums, length, starts))
            passages.append(np.full(len(starts), number))
            offsets.append(starts)
        table = _Table(
            length,
            np.concatenate(hashes),
            np.concatenate(passages),
            np.concatenate(offsets),
            ~np.concatenate(wordy),
        )
        return _without_templates(_in_order(table), self._passages)

    def _ids_of(self, words: Sequence[str]) -> Hashes:
        known = self._ids
        return np.fromiter((known.get(word, 0) for word in words), dtype=np.uint64, count=len(words))


class _Powers:
    """Rolling hashes modulo 2**64: word i counts times base**i, and windows are brought back to begin at 0."""

    def __init__(self) -> None:
        self._powers = self._inverses = np.ones(1, dtype=np.uint64)

    def sums(self, ids: Hashes) -> Hashes:
        """Before each word and behind the last, the sum of what came before."""
        if len(ids) > len(self._powers):
            size = max(len(ids), 2 * len(self._powers))
            self._powers = _geometric(_BASE, size)
            self._inverses = _geometric(pow(_BASE, -1, 1 << 64), size)
        sums = np.zeros(len(ids) + 1, dtype=np.uint64)
        np.cumsum(ids * self._powers[: len(ids)], out=sums[1:])
        return sums

    def windows(self, sums: Hashes, length: int, starts: npt.NDArray[np.int64]) -> Hashes:
        """The hash of `length` words from each start on."""
        hashes: Hashes = (sums[starts + length] - sums[starts]) * self._inverses[starts]
        return hashes


def _geometric(ratio: int, size: int) -> Hashes:
    factors = np.full(size, ratio, dtype=np.uint64)
    factors[0] = 1
    powers: Hashes = np.cumprod(factors, dtype=np.uint64)
    return powers


def _word_id(word: str) -> int:
    """Random-looking, the same on every machine, and never 0, which stands for words of no passage."""
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") | 1


def _short(hashes: Hashes) -> npt.NDArray[np.int64]:
    return (hashes >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)


def _in_order(table: _Table) -> _Table:
    order = np.argsort(table.hashes, kind="stable")
    return _Table(
        table.length, table.hashes[order], table.passages[order], table.offsets[order], table.whole[order]
    )


def _without_templates(table: _Table, known: Sequence[Passage]) -> _Table:
    """Drop the runs of templates, and those marked; of passages that have no other, keep the rarest, as `whole`."""
    _, group, counts = np.unique(table.hashes, return_inverse=True, return_counts=True)
    # a passage that repeats a run is one passage, and is found by the first of them as well
    pairs, first = np.unique(np.stack((group, table.passages)), axis=1, return_index=True)
    sharers = np.bincount(pairs[0], minlength=len(counts))[group]
    most = np.array([one.sharers for one in known])[table.passages]
    whole = table.whole | (sharers > most)
    keep = ~whole
    owned: Mapping[int, bool] = dict.fromkeys(table.passages[keep].tolist(), True)
    rarest: dict[int, int] = {}
    for entry in np.flatnonzero(whole).tolist():
        number = int(table.passages[entry])
        if number not in owned and (number not in rarest or sharers[entry] < sharers[rarest[number]]):
            rarest[number] = entry
    repeated = np.ones_like(keep)
    repeated[first] = False
    keep &= ~repeated
    keep[list(rarest.values())] = True
    return _Table(table.length, table.hashes[keep], table.passages[keep], table.offsets[keep], whole[keep])
