"""The measures of the table, and every row's difference from the reference with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.ablation.rows import Row
from components.ablation.settings import AblationSettings
from components.contracts.records import EvaluationItem
from components.scoring.bootstrap import Interval, ratio_bootstrap
from components.scoring.call_rates import GOLD_METRICS, call_counts, call_table
from components.scoring.groups import group_items
from components.scoring.tool_help import SUMS, cell_of
from components.scoring.tool_use import METRICS, counts_of, rate_table

Floats = NDArray[np.float64]

# Of components.scoring.tool_help, where they are defined.
TOOL_HELP = ("overuse", "harmed", "underuse", "rescued")
# In the order of the columns of `measure_table`.
MEASURES = (*GOLD_METRICS, "accuracy", *METRICS[1:], *TOOL_HELP)
LOWER_IS_BETTER = frozenset(
    {"calls_unparsed", "calls_no_call", "executed_de", "executed_ce", "overuse", "harmed", "underuse"}
)
NEITHER_IS_BETTER = frozenset({"invoke_rate", "called_share"})

# By question id whether the base model answers it right without tools.
Known = Mapping[str, bool]


@dataclass(frozen=True)
class Cell:
    """One measure of one row, a share; `difference` is against the reference row, None for itself."""

    value: float | None
    difference: Interval | None


@dataclass(frozen=True)
class Group:
    """One group of questions: by row title, then by measure."""

    questions: int
    cells: Mapping[str, Mapping[str, Cell]]

    def measured(self, measures: Sequence[str]) -> list[str]:
        """Those of the measures that are defined in at least one row."""
        return [
            measure
            for measure in measures
            if any(cells[measure].value is not None for cells in self.cells.values())
        ]


def compare_rows(
    rows: Sequence[Row], settings: AblationSettings, known: Known | None = None
) -> dict[str, Group]:
    """Every row against the reference, by group of questions; all rows see the same resamples."""
    reference = next(row for row in rows if row.title == settings.reference)
    groups = group_items(reference.items, settings.no_tool_kinds)
    return {name: _group(rows, reference, places, settings, known) for name, places in groups.items()}


def measure_table(items: Sequence[EvaluationItem], known: Known | None = None) -> tuple[Floats, Floats]:
    """Numerators and denominators of MEASURES: two (items, measures) arrays.

    Accuracy is of the questions with accepted answers; those with gold calls have TS, PI and CF.
    """
    parts, wholes = call_table([call_counts(item) for item in items])
    answered = np.array([bool(item.gold) and item.tool_selected is None for item in items], dtype=np.float64)
    correct = np.array([item.correct for item in items], dtype=np.float64) * answered
    rate_parts, rate_wholes = rate_table([counts_of(item) for item in items])
    help_parts, help_wholes = help_table(items, known)
    return (
        np.column_stack([parts, correct, rate_parts[:, 1:], help_parts]),
        np.column_stack([wholes, answered, rate_wholes[:, 1:], help_wholes]),
    )


def help_table(items: Sequence[EvaluationItem], known: Known | None) -> tuple[Floats, Floats]:
    """Numerators and denominators of TOOL_HELP, all shares of the questions; undefined while nothing is known."""
    shape = (len(items), len(TOOL_HELP))
    if known is None:
        return np.zeros(shape), np.zeros(shape)
    cells = [cell_of(known, item) for item in items]
    parts = [[cell in SUMS.get(name, (name,)) for name in TOOL_HELP] for cell in cells]
    return np.array(parts, dtype=np.float64).reshape(shape), np.ones(shape)


def _group(
    rows: Sequence[Row],
    reference: Row,
    places: Sequence[int],
    settings: AblationSettings,
    known: Known | None,
) -> Group:
    tables = [measure_table([row.items[place] for place in places], known) for row in rows]
    parts, wholes = (np.concatenate(side, axis=1) for side in zip(*tables, strict=True))
    before, before_of = (np.tile(side, len(rows)) for side in tables[rows.index(reference)])
    intervals = ratio_bootstrap(
        before,
        before_of,
        parts,
        wholes,
        samples=settings.samples,
        seed=settings.seed,
        confidence=settings.confidence,
    )
    cells = {}
    for index, (row, (row_parts, row_wholes)) in enumerate(zip(rows, tables, strict=True)):
        sums, totals = row_parts.sum(axis=0), row_wholes.sum(axis=0)
        found = intervals[index * len(MEASURES) : (index + 1) * len(MEASURES)]
        cells[row.title] = {
            measure: Cell(
                float(sums[column] / totals[column]) if totals[column] else None,
                None if row is reference else found[column],
            )
            for column, measure in enumerate(MEASURES)
        }
    return Group(len(tables[0][0]), cells)
