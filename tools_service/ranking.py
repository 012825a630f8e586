"""What both retrievers share: a hit, the choice of the best, and arrays opened by mmap."""

import mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Hit(NamedTuple):
    """A passage's place in the corpus and its score."""

    document: int
    score: float


def best_places(scores: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """The places of the k best scores, by score descending, then place ascending."""
    k = min(k, len(scores))
    if k == 1:
        return np.array([scores.argmax()])
    threshold = np.partition(scores, -k)[-k]
    above = np.flatnonzero(scores > threshold)
    level = np.flatnonzero(scores == threshold)[: k - len(above)]
    chosen = np.concatenate([above, level])
    return chosen[np.lexsort((chosen, -scores[chosen]))]


def open_array(path: Path) -> NDArray[Any]:
    """A .npy file as an array that is read from disk as it is used."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def open_bytes(path: Path) -> mmap.mmap:
    """A file (not an empty one) as bytes that are read from disk as they are used."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
