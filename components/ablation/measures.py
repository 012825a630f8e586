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
from components.scoring.groups import group_kinds

Floats = NDArray[np.float64]

MEASURES = (*GOLD_METRICS, "accuracy")
LOWER_IS_BETTER = frozenset({"calls_unparsed", "calls_no_call", "executed_de", "executed_ce"})


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

    def measured(self) -> list[str]:
        """The measures that are defined in at least one row."""
        return [
            measure
            for measure in MEASURES
            if any(cells[measure].value is not None for cells in self.cells.values())
        ]


def compare_rows(rows: Sequence[Row], reference: Row, settings: AblationSettings) -> dict[str, Group]:
    """Every row against the reference, by group of questions; all rows see the same resamples."""
    groups = group_kinds((item.kind for item in reference.items), settings.no_tool_kinds)
    return {name: _group(rows, reference, kinds, settings) for name, kinds in groups.items()}


def measure_table(items: Sequence[EvaluationItem]) -> tuple[Floats, Floats]:
    """Numerators and denominators of MEASURES: two (items, measures) arrays.

    Accuracy is of the questions with accepted answers; those with gold calls have TS, PI and CF.
    """
    parts, wholes = call_table([call_counts(item) for item in items])
    answered = np.array([bool(item.gold) and item.tool_selected is None for item in items], dtype=np.float64)
    correct = np.array([item.correct for item in items], dtype=np.float64) * answered
    return np.column_stack([parts, correct]), np.column_stack([wholes, answered])


def _group(rows: Sequence[Row], reference: Row, kinds: frozenset[str], settings: AblationSettings) -> Group:
    tables = [measure_table([item for item in row.items if item.kind in kinds]) for row in rows]
    parts, wholes = (np.concatenate(side, axis=1) for side in zip(*tables, strict=True))
    before, before_of = (
        np.tile(side, len(rows))
        for side in measure_table([item for item in reference.items if item.kind in kinds])
    )
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
