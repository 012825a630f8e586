"""What a format is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from components.ingest.rows import Draft, Exchange

RawRow = Mapping[str, object]


def whole(row: RawRow) -> Iterable[RawRow]:
    """The row itself: it holds one example."""
    return (row,)


def no_kind(_file: str) -> str:
    """Nothing: the file's name does not say a kind."""
    return ""


def not_by_file(_row: RawRow, _file: str) -> bool:
    """False: the file's name says nothing about the format."""
    return False


@dataclass(frozen=True)
class Format:
    """How one kind of row is told from others and turned into a question or an exchange with tools.

    `convert` raises RowError. `kind` is the kind when the row names none, unless `kind_of` finds one in
    the file's name. `matches_in` is for rows whose fields are too common to tell, given the file's name as the
    user wrote it. `parts` cuts a row that holds several examples; each is then counted as a row.
    `long_tail` marks sets that the self-training paper only evaluates on.
    """

    name: str
    kind: str
    matches: Callable[[RawRow], bool]
    convert: Callable[[RawRow], Draft | Exchange]
    long_tail: bool = False
    kind_of: Callable[[str], str] = no_kind
    parts: Callable[[RawRow], Iterable[RawRow]] = whole
    matches_in: Callable[[RawRow, str], bool] = not_by_file
