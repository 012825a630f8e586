"""Passages on disk, read in place: `passages.jsonl` as given and where each of its lines begins."""

from array import array
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tools_service.corpus import Passage
from tools_service.ranking import open_array, open_bytes


class PassageWriter:
    """Copies passages into an index folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets = array("q", [0])
        self._file = (folder / "passages.jsonl").open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is None:
            np.save(self._folder / "passage_offsets.npy", np.array(self._offsets, dtype=np.int64))

    def add(self, passage: Passage) -> None:
        """Appends one."""
        size = self._file.write(passage.model_dump_json().encode() + b"\n")
        self._offsets.append(self._offsets[-1] + size)


class PassageStore:
    """Passages by their place in the corpus; opening it reads nothing."""

    def __init__(self, folder: Path) -> None:
        self._offsets: NDArray[np.int64] = open_array(folder / "passage_offsets.npy")
        self._text = open_bytes(folder / "passages.jsonl")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, place: int) -> Passage:
        return Passage.model_validate_json(self._text[self._offsets[place] : self._offsets[place + 1]])
