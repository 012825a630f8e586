"""The groups of questions that results are reported for."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from components.contracts.records import Difficulty
from components.scoring.bfcl.reference import NO_CALL_KINDS
from components.scoring.difficulty import THIRDS

OVERALL = "overall"
NEEDS_TOOL = "needs_tool"
NO_TOOL = "no_tool"

_DIFFICULTY = "difficulty_"
# The paper's question sets by the names of their kinds, as their authors write them.
_SETS = {"triviaqa": "TriviaQA", "gsm8k": "GSM8K", "nq": "NQ-Open", "popqa": "PopQA"}


class Grouped(Protocol):
    """What groups are made of: an item, however much of it is kept."""

    @property
    def kind(self) -> str:
        """The question's kind."""

    @property
    def difficulty(self) -> Difficulty:
        """The question's third; empty where it is in none."""


def group_label(name: str) -> str:
    """How tables call a group or a kind: a published set by its own name, any other as it is named."""
    return _SETS.get(name, name.removeprefix(_DIFFICULTY) if name in DIFFICULTIES else name)


def difficulty_group(difficulty: Difficulty) -> str:
    """The name of the group of a third."""
    return f"{_DIFFICULTY}{difficulty}"


DIFFICULTIES = tuple(map(difficulty_group, THIRDS))


def group_kinds(kinds: Iterable[str], no_tool_kinds: Collection[str]) -> dict[str, frozenset[str]]:
    """Which kinds of question each group holds: overall, needs_tool, no_tool, then each kind by itself.

    no_tool_kinds: beside those of BFCL's irrelevance, which want no call whatever the settings say.
    Groups without a kind are left out. A kind that is named like one of the first three is part of
    that group and not shown again.
    """
    found = sorted(set(kinds))
    everything = frozenset(found)
    without = everything & NO_CALL_KINDS.union(no_tool_kinds)
    groups = {OVERALL: everything, NEEDS_TOOL: everything - without, NO_TOOL: without}
    for kind in found:
        groups.setdefault(kind, frozenset({kind}))
    return {name: kinds_of for name, kinds_of in groups.items() if kinds_of}


def group_items(items: Sequence[Grouped], no_tool_kinds: Collection[str]) -> dict[str, list[int]]:
    """The places of the items of each group: those of `group_kinds`, then `DIFFICULTIES`; none is empty.

    A kind that is named like a group of a third hides that group.
    """
    groups = {
        name: [place for place, item in enumerate(items) if item.kind in kinds]
        for name, kinds in group_kinds((item.kind for item in items), no_tool_kinds).items()
    }
    for third in THIRDS:
        places = [place for place, item in enumerate(items) if item.difficulty == third]
        if places:
            groups.setdefault(difficulty_group(third), places)
    return groups
