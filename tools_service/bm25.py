"""BM25 search over an index opened by mmap: the ranking of rank-bm25's BM25Okapi, to the bit.

Equal scores rank by the passage's place in the corpus. Finding the best few does not score every
passage: rare words are accumulated first, and as soon as the k-th best partial score exceeds all that the
remaining words could add, only passages that can still win are scored exactly (MaxScore; Turtle and
Flood, 1995). Exact scores are always summed in the query's own order, as rank-bm25 does.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools_service.corpus import Passage, words
from tools_service.passages import PassageStore
from tools_service.ranking import Hit, best_places, open_array, open_bytes

SLACK = 1e-9  # relative; far above the rounding of sums in another order
TINY = 1e-12  # absolute; the same
SMALL = 100_000  # postings and passages; below, scoring all is quicker than deciding
WORK_OF_POSTING = 16  # of pruning, against one posting when every passage is scored
WORK_OF_CANDIDATE = 8  # looked up in one word's postings, against one posting of pruning
Scores = NDArray[np.float64]


class _Postings(NamedTuple):
    documents: NDArray[np.int32]
    impacts: Scores
    peak: float


class Bm25Index:
    """An index folder as `bm25_build` writes it. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._terms = _Terms(folder)
        self._starts: NDArray[np.int64] = open_array(folder / "postings.npy")
        self._documents: NDArray[np.int32] = open_array(folder / "documents.npy")
        self._impacts: Scores = open_array(folder / "impacts.npy")
        self._peaks: Scores = open_array(folder / "peaks.npy")
        self._passages = PassageStore(folder)
        self._local = threading.local()
        self._postings = lru_cache(maxsize=4096)(self._read_postings)

    def __len__(self) -> int:
        return len(self._passages)

    def passage(self, document: int) -> Passage:
        """The passage at this place of the corpus."""
        return self._passages[document]

    def knows(self, query: str) -> bool:
        """Whether any word of the query is in the corpus."""
        return any(self._postings(word) is not None for word in words(query))

    def scores(self, tokens: Sequence[str]) -> Scores:
        """(passages,) what rank_bm25.BM25Okapi.get_scores gives, bit for bit."""
        scores = np.zeros(len(self))
        for token in tokens:
            if postings := self._postings(token):
                np.add.at(scores, postings.documents.astype(np.intp), postings.impacts)
        return scores

    def search(self, query: str, k: int = 1) -> list[Hit]:
        """The k best passages of a text query; fewer only when the corpus is smaller."""
        return self.best(words(query), k)

    def best(self, tokens: Sequence[str], k: int = 1) -> list[Hit]:
        """The k best passages by (score descending, place ascending)."""
        candidates = self._candidates(tokens, k)
        if candidates is None:
            scores = self.scores(tokens)
            return [Hit(int(place), float(scores[place])) for place in best_places(scores, k)]
        scores = np.zeros(len(candidates))
        for token in tokens:
            if postings := self._postings(token):
                _add_to_candidates(scores, candidates, postings)
        order = np.lexsort((candidates, -scores))[:k]
        return [Hit(int(candidates[place]), float(scores[place])) for place in order]

    def _candidates(self, tokens: Sequence[str], k: int) -> NDArray[np.intp] | None:
        """Passages among which the k best must be; None when it is cheaper, or needed, to score all."""
        counts = Counter(tokens)
        terms = [(postings, count) for token, count in counts.items() if (postings := self._postings(token))]
        if any(postings.peak < 0 for postings, _ in terms):
            return None  # with negative impacts a partial sum is no lower bound
        terms = [term for term in terms if term[0].peak > 0]
        work = len(self) + sum(len(postings.documents) for postings, _ in terms)
        if work < SMALL:
            return None
        terms.sort(key=lambda term: len(term[0].documents))
        bounds = np.array([postings.peak * count for postings, count in terms])
        reachable = np.cumsum(bounds)  # no partial score is above this
        remaining = bounds.sum() - reachable
        sizes = np.array([len(postings.documents) for postings, _ in terms])
        budget = work / WORK_OF_POSTING
        hopeful = np.flatnonzero((reachable > remaining) & (np.cumsum(sizes) <= budget))
        if not len(hopeful):
            return None
        with self._scratch() as (partial, touched):
            for place in range(hopeful[-1] + 1):
                postings, count = terms[place]
                documents = postings.documents.astype(np.intp)
                touched.append(documents[partial[documents] == 0])
                np.add.at(partial, documents, postings.impacts * count)
                if place < hopeful[0]:
                    continue
                reached = np.concatenate(touched)
                if len(reached) < k:
                    continue
                values = partial[reached]
                threshold = values.max() if k == 1 else np.partition(values, -k)[-k]
                if threshold > remaining[place] * (1 + SLACK) + TINY:
                    chosen = reached[values + remaining[place] >= threshold * (1 - SLACK) - TINY]
                    return chosen if len(chosen) * len(terms) * WORK_OF_CANDIDATE < budget else None
        return None

    @contextmanager
    def _scratch(self) -> Iterator[tuple[Scores, list[NDArray[np.intp]]]]:
        """This thread's (passages,) zeros and a list of the places that have to be zeroed afterwards."""
        if not hasattr(self._local, "scratch"):
            self._local.scratch = np.zeros(len(self))
        touched: list[NDArray[np.intp]] = []
        try:
            yield self._local.scratch, touched
        finally:
            for places in touched:
                self._local.scratch[places] = 0

    def _read_postings(self, term: str) -> _Postings | None:
        place = self._terms.find(term)
        if place is None:
            return None
        begin, end = int(self._starts[place]), int(self._starts[place + 1])
        return _Postings(self._documents[begin:end], self._impacts[begin:end], float(self._peaks[place]))


class _Terms(Sequence[bytes]):
    """The sorted words, read in place."""

    def __init__(self, folder: Path) -> None:
        self._text = open_bytes(folder / "terms.txt")
        self._offsets: NDArray[np.int64] = open_array(folder / "term_offsets.npy")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, place: int) -> bytes:  # type: ignore[override]
        return self._text[self._offsets[place] : self._offsets[place + 1]]

    def find(self, term: str) -> int | None:
        encoded = term.encode("utf-8", "surrogatepass")
        place = bisect_left(self, encoded)
        return place if place < len(self) and self[place] == encoded else None


def _add_to_candidates(scores: Scores, documents: NDArray[np.intp], postings: _Postings) -> None:
    """Adds the word's impacts to the scores of `documents` (ascending or not)."""
    places = np.searchsorted(postings.documents, documents)
    places[places == len(postings.documents)] = 0
    matches = postings.documents[places] == documents
    scores[matches] += postings.impacts[places[matches]]
