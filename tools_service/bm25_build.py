"""Builds the BM25 index: every (word, passage) impact computed once, by rank-bm25's own arithmetic.

Files of a `bm25_index/1` folder (all opened by mmap):
    passages.jsonl, passage_offsets.npy   the passages as given, and where each line begins
    terms.txt, term_offsets.npy           the words, sorted, without separators
    postings.npy                          (terms + 1) int64: where each word's postings begin
    documents.npy                         int32, ascending within a word
    impacts.npy                           float64, what the word adds to the passage's score
    peaks.npy                             (terms) float64, the largest impact of each word
"""

import math
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import InputError
from tools_service.corpus import Passage, words
from tools_service.passages import PassageWriter

CHUNK = 50_000  # passages whose postings are sorted together


class Parameters(NamedTuple):
    """Okapi's constants, rank-bm25's defaults."""

    k1: float = 1.5
    b: float = 0.75
    epsilon: float = 0.25


class _Chunk(NamedTuple):
    first: int
    lengths: NDArray[np.int64]  # words of each passage
    distinct: NDArray[np.int64]  # different words of each passage
    terms: NDArray[np.int32]
    frequencies: NDArray[np.int32]


def build_index(
    passages: Iterable[Passage], folder: Path, parameters: Parameters | None = None
) -> dict[str, int]:
    """Writes the index's files into `folder` (which exists) and returns its counts.

    Raises:
        InputError: no passage has a word in it.
    """
    term_numbers: dict[str, int] = {}
    chunks = list(_read_chunks(passages, folder, term_numbers))
    if not term_numbers:
        raise InputError("corpus: no passage has a word in it; expected text")
    order = sorted(range(len(term_numbers)), key=list(term_numbers).__getitem__)
    document_frequency = sum(np.bincount(chunk.terms, minlength=len(term_numbers)) for chunk in chunks)
    assert isinstance(document_frequency, np.ndarray)
    lengths = np.concatenate([chunk.lengths for chunk in chunks])
    chosen = parameters or Parameters()
    idf = _idf(document_frequency.tolist(), len(lengths), chosen.epsilon)
    _write_terms(folder, sorted(term_numbers))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    _write_postings(folder, chunks, rank, document_frequency, idf, lengths, chosen)
    return {"passages": len(lengths), "terms": len(order), "postings": int(document_frequency.sum())}


def _read_chunks(passages: Iterable[Passage], folder: Path, term_numbers: dict[str, int]) -> Iterator[_Chunk]:
    """Copies the passages, numbers words in the order in which they are first seen, counts them."""
    lengths, distinct = array("q"), array("q")
    terms, frequencies = array("i"), array("i")
    first = 0
    with PassageWriter(folder) as writer:
        for passage in passages:
            writer.add(passage)
            found = words(passage.shown)
            counts = Counter(found)  # keeps first-seen order, as rank-bm25's dictionary does
            lengths.append(len(found))
            distinct.append(len(counts))
            terms.extend(term_numbers.setdefault(word, len(term_numbers)) for word in counts)
            frequencies.extend(counts.values())
            if len(lengths) == CHUNK:
                yield _make_chunk(first, lengths, distinct, terms, frequencies)
                first += CHUNK
                print(f"[index] {first} passages", file=sys.stderr, flush=True)
                lengths, distinct = array("q"), array("q")
                terms, frequencies = array("i"), array("i")
    if lengths:
        yield _make_chunk(first, lengths, distinct, terms, frequencies)


def _make_chunk(
    first: int, lengths: "array[int]", distinct: "array[int]", terms: "array[int]", frequencies: "array[int]"
) -> _Chunk:
    return _Chunk(
        first,
        np.array(lengths, dtype=np.int64),
        np.array(distinct, dtype=np.int64),
        np.array(terms, dtype=np.int32),
        np.array(frequencies, dtype=np.int32),
    )


def _idf(document_frequency: list[int], passages: int, epsilon: float) -> NDArray[np.float64]:
    """rank-bm25's idf: summed in first-seen order, negative ones raised to epsilon * mean."""
    idf = [math.log(passages - count + 0.5) - math.log(count + 0.5) for count in document_frequency]
    total = 0.0
    for value in idf:
        total += value
    floor = epsilon * (total / len(idf))
    return np.array([floor if value < 0 else value for value in idf], dtype=np.float64)


def _write_terms(folder: Path, terms: list[str]) -> None:
    encoded = [term.encode() for term in terms]
    (folder / "terms.txt").write_bytes(b"".join(encoded))
    sizes = np.array([0, *map(len, encoded)], dtype=np.int64)
    np.save(folder / "term_offsets.npy", np.cumsum(sizes))


def _write_postings(
    folder: Path,
    chunks: list[_Chunk],
    rank: NDArray[np.int64],
    document_frequency: NDArray[np.int64],
    idf: NDArray[np.float64],
    lengths: NDArray[np.int64],
    parameters: Parameters,
) -> None:
    """Places each chunk's postings behind those of the chunks before it, so that passages ascend."""
    k1, b, _ = parameters
    starts = np.zeros(len(rank) + 1, dtype=np.int64)
    starts[rank + 1] = document_frequency
    np.cumsum(starts, out=starts)
    np.save(folder / "postings.npy", starts)
    average_length = int(lengths.sum()) / len(lengths)
    size = int(starts[-1])
    documents = np.lib.format.open_memmap(folder / "documents.npy", "w+", np.int32, (size,))
    impacts = np.lib.format.open_memmap(folder / "impacts.npy", "w+", np.float64, (size,))
    peaks = np.full(len(rank), -np.inf)
    free = starts[:-1].copy()
    for chunk in chunks:
        document = np.repeat(np.arange(len(chunk.lengths)), chunk.distinct)
        order = np.argsort(chunk.terms, kind="stable")
        terms = chunk.terms[order]
        ranks = rank[terms]
        frequency = chunk.frequencies[order].astype(np.int64)
        length = chunk.lengths[document[order]]
        # the very expression of rank_bm25.BM25Okapi.get_scores, in its order of operations
        impact = idf[terms] * (
            frequency * (k1 + 1) / (frequency + k1 * (1 - b + b * length / average_length))
        )
        boundaries = np.flatnonzero(np.diff(terms, prepend=-1))
        run = np.diff(np.append(boundaries, len(terms)))
        within = np.arange(len(terms)) - np.repeat(boundaries, run)
        place = free[ranks] + within
        documents[place] = chunk.first + document[order]
        impacts[place] = impact
        np.maximum.at(peaks, ranks, impact)
        free[ranks[boundaries]] += run
    documents.flush()
    impacts.flush()
    np.save(folder / "peaks.npy", peaks)
