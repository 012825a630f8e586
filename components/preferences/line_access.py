"""Records of a JSON Lines file by their place in it, so that not all of them need be in memory."""

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from components.contracts.errors import InputError
from components.contracts.records import LabeledTrace


class LabeledTraceFile:
    """The labeled traces of a file that was read, and so checked, before."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._starts = array("q")
        start = 0
        for line in stream:
            self._starts.append(start)
            start += len(line)

    def read(self, line: int) -> LabeledTrace:
        """The trace on that line, from 0."""
        self._stream.seek(self._starts[line])
        return LabeledTrace.model_validate_json(self._stream.readline(), strict=True)


@contextmanager
def open_labeled_traces(path: Path) -> Iterator[LabeledTraceFile]:
    """The file, open while the block lasts.

    Raises:
        InputError: it can't be read.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from error
    with stream:
        yield LabeledTraceFile(stream)
