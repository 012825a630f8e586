"""What a format is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from components.ingest.rows import Draft


@dataclass(frozen=True)
class Format:
    """How one kind of row is told from others and turned into a question.

    `convert` raises RowError. `kind` is the questions' kind when the row names none. `long_tail`
    marks sets that the self-training paper only evaluates on.
    """

    name: str
    kind: str
    matches: Callable[[Mapping[str, object]], bool]
    convert: Callable[[Mapping[str, object]], Draft]
    long_tail: bool = False
