"""The groups of questions that results are reported for."""

from collections.abc import Collection, Iterable

OVERALL = "overall"
NEEDS_TOOL = "needs_tool"
NO_TOOL = "no_tool"

# The paper's question sets by the names of their kinds, as their authors write them.
_SETS = {"triviaqa": "TriviaQA", "gsm8k": "GSM8K", "nq": "NQ-Open", "popqa": "PopQA"}


def group_label(name: str) -> str:
    """How tables call a group or a kind: a published set by its own name, any other as it is named."""
    return _SETS.get(name, name)


def group_kinds(kinds: Iterable[str], no_tool_kinds: Collection[str]) -> dict[str, frozenset[str]]:
    """Which kinds of question each group holds: overall, needs_tool, no_tool, then each kind by itself.

    Groups without a kind are left out. A kind that is named like one of the first three is part of
    that group and not shown again.
    """
    found = sorted(set(kinds))
    everything = frozenset(found)
    without = everything & frozenset(no_tool_kinds)
    groups = {OVERALL: everything, NEEDS_TOOL: everything - without, NO_TOOL: without}
    for kind in found:
        groups.setdefault(kind, frozenset({kind}))
    return {name: kinds_of for name, kinds_of in groups.items() if kinds_of}
