"""When do tools help: questions by whether the model knew the answer without tools, and what a policy did.

The self-training paper's failure signatures, counted. *Tool overuse*: tools are called indiscriminately, also
where parametric knowledge had sufficed. *Knowledge redundancy*: performance drops there. A question is `known`
when the base model answers it right without tools. Each question then falls into exactly one of CELLS:

    known, called,     right: redundant    not known, called,     right: rescued
    known, called,     wrong: harmed       not known, called,     wrong: not_helped
    known, not called, right: kept         not known, not called, right: learned
    known, not called, wrong: forgotten    not known, not called, wrong: missed

so that the cells of a group sum to its questions. SUMS adds what belongs together: `overuse` = redundant + harmed,
`underuse` = learned + missed. Called means at least one attempted call in any turn, as in `called_share`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import InputError
from components.contracts.records import EvaluationItem
from components.scoring.bootstrap import Interval, ratio_bootstrap
from components.scoring.groups import group_kinds

# (known, called, right) -> the cell
_CELL_OF = {
    (True, True, True): "redundant",
    (True, True, False): "harmed",
    (True, False, True): "kept",
    (True, False, False): "forgotten",
    (False, True, True): "rescued",
    (False, True, False): "not_helped",
    (False, False, True): "learned",
    (False, False, False): "missed",
}
CELLS = tuple(_CELL_OF.values())
SUMS: Mapping[str, tuple[str, ...]] = {
    "overuse": ("redundant", "harmed"),
    "underuse": ("learned", "missed"),
}
# Every count of a ToolHelp, in the order in which tables show them: what was known, then what was not.
COUNTS = (
    *("overuse", "redundant", "harmed", "kept", "forgotten"),
    *("rescued", "not_helped", "underuse", "learned", "missed"),
)


@dataclass(frozen=True)
class ToolHelp:
    """One policy on one group of questions: `counts` has COUNTS, of which CELLS sum to `questions`."""

    questions: int
    known: int
    counts: Mapping[str, int]

    def share(self, name: str) -> float | None:
        """One of COUNTS as a share of all questions of the group; None without a question."""
        return self.counts[name] / self.questions if self.questions else None


def known_without_tools(items: Iterable[EvaluationItem]) -> dict[str, bool]:
    """Which questions are answered right, by id; the items are of the base model without tools.

    Raises:
        InputError: an item holds a call, or an id occurs twice.
    """
    known: dict[str, bool] = {}
    for item in items:
        if item.calls:
            raise InputError(f"without_tools: question {item.id!r} was answered with a call, expected none")
        if item.id in known:
            raise InputError(f"without_tools: question {item.id!r} occurs twice, expected once")
        known[item.id] = item.correct
    return known


def cell_of(known: Mapping[str, bool], item: EvaluationItem) -> str:
    """The one of CELLS that a judged item falls into.

    Raises:
        InputError: it is not known whether the question was answered right without tools.
    """
    if item.id not in known:
        raise InputError(
            f"without_tools: question {item.id!r} was not asked without tools, expected the same questions"
        )
    return _CELL_OF[known[item.id], item.calls > 0, item.correct]


def tool_help(known: Mapping[str, bool], items: Iterable[EvaluationItem]) -> ToolHelp:
    """Count one policy's items.

    known: by question id, whether it is answered right without tools; it may hold more questions.

    Raises:
        InputError: see `cell_of`.
    """
    cells = [cell_of(known, item) for item in items]
    counts = {name: sum(cell in _cells_of(name) for cell in cells) for name in COUNTS}
    return ToolHelp(len(cells), sum(counts[cell] for cell in CELLS[:4]), counts)


def tool_help_by_group(
    known: Mapping[str, bool], items: Sequence[EvaluationItem], no_tool_kinds: Collection[str]
) -> dict[str, ToolHelp]:
    """`tool_help` of each of `group_kinds`' groups: overall, needs_tool, no_tool, then each kind."""
    groups = group_kinds((item.kind for item in items), no_tool_kinds)
    return {
        name: tool_help(known, [item for item in items if item.kind in kinds])
        for name, kinds in groups.items()
    }


def tool_help_differences(
    known: Mapping[str, bool],
    before: Sequence[EvaluationItem],
    after: Sequence[EvaluationItem],
    *,
    samples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """The interval of after - before for the share of each of COUNTS, by paired bootstrap over the questions.

    before, after: items of the same questions in the same order, of any two policies. `known` is taken as
    given: the intervals say nothing of what another run without tools would have known.

    Raises:
        InputError: see `cell_of`.
        ValueError: no item, the lengths differ, or the questions do.
    """
    if [item.id for item in before] != [item.id for item in after]:
        raise ValueError("differences need the same questions in the same order on both sides")
    sides = [_table(known, items) for items in (before, after)]
    ones = np.ones_like(sides[0])
    found = ratio_bootstrap(sides[0], ones, sides[1], ones, samples=samples, seed=seed, confidence=confidence)
    return {name: one for name, one in zip(COUNTS, found, strict=True) if one is not None}


def _table(known: Mapping[str, bool], items: Sequence[EvaluationItem]) -> NDArray[np.float64]:
    """(questions, COUNTS): 1 where a question counts."""
    cells = [cell_of(known, item) for item in items]
    rows = [[cell in _cells_of(name) for name in COUNTS] for cell in cells]
    return np.array(rows, dtype=np.float64).reshape(len(cells), len(COUNTS))


def _cells_of(name: str) -> tuple[str, ...]:
    return SUMS.get(name, (name,))
