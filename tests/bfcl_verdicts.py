"""bfcl-eval's own verdicts on the cases of seed 0, as `tests.battery.bfcl_parity --record` wrote them. Not a test.

One line an item: its id, and a letter for each of its cases in their order: 1 right, 0 wrong. The first line has
a digest of all kinds in their order, so that verdicts on other cases are not taken for these.
"""

import gzip
import hashlib
from collections.abc import Iterable
from pathlib import Path

RECORDED = Path(__file__).parent / "unit" / "data" / "bfcl_verdicts.txt.gz"
MULTI_TURN_RECORDED = RECORDED.with_name("bfcl_multi_turn_verdicts.txt.gz")


def write_verdicts(path: Path, verdicts: Iterable[tuple[str, str, bool]]) -> None:
    """verdicts: item, kind of case and verdict; an item's cases follow each other."""
    letters: dict[str, list[str]] = {}
    kinds = []
    for item, kind, valid in verdicts:
        letters.setdefault(item, []).append("01"[valid])
        kinds.append(kind)
    lines = [digest_of(kinds), *(f"{item} {''.join(found)}" for item, found in letters.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def read_verdicts(path: Path = RECORDED) -> tuple[str, dict[str, str]]:
    """The digest of the kinds, and each item's letters."""
    first, *lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    return first, dict(line.rsplit(" ", 1) for line in lines)


def digest_of(kinds: Iterable[str]) -> str:
    """Of the kinds of all cases, in their order."""
    return hashlib.sha256("\n".join(kinds).encode()).hexdigest()[:16]
