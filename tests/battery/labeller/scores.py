"""Confusion matrices of labels against the truth, and what is printed of them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema
from components.error_labeling.feedback.classifier import classify_feedback
from components.error_labeling.feedback.legacy import legacy_is_error
from tools_service.faults import Truth

Matrix = Counter[tuple[ToolError | None, ToolError | None]]  # (truth, label) -> calls
Detected = Counter[tuple[bool, bool]]  # (truth, label) -> calls


def judge(
    rows: Sequence[Truth], tools: Sequence[ToolSchema]
) -> tuple[Matrix, Detected, Counter[tuple[str, str]]]:
    """Our confusion matrix, the legacy rule's (truth, label), and the texts that were labelled wrongly."""
    matrix: Matrix = Counter()
    legacy: Detected = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for row in rows:
        call = ToolCall(name=row["name"], arguments=row["arguments"])
        label = classify_feedback(row["content"], call, tools)
        matrix[row["error"], label] += 1
        legacy[row["error"] is not None, legacy_is_error(row["content"])] += 1
        if label is not row["error"]:
            wrong[f"{row['error'] or 'ok'} -> {label or 'ok'}", row["content"]] += 1
    return matrix, legacy, wrong


def precision_recall(counts: Mapping[tuple[bool, bool], int]) -> tuple[float, float]:
    """Of (truth, label) counts; 1 where nothing was flagged or nothing was there."""
    hit = counts.get((True, True), 0)
    flagged = hit + counts.get((False, True), 0)
    there = hit + counts.get((True, False), 0)
    return hit / flagged if flagged else 1.0, hit / there if there else 1.0


def detection(matrix: Matrix) -> Detected:
    """The matrix as failed or not."""
    return _grouped(matrix, lambda one: one is not None)


def masked(matrix: Matrix) -> Detected:
    """The matrix as the model's own fault or not: what MAE masks."""
    return _grouped(matrix, lambda one: one is not None and one.is_models_fault)


def of_category(matrix: Matrix, category: ToolError) -> Detected:
    """The matrix as this category or any other."""
    return _grouped(matrix, lambda one: one is category)


def failed_calls(matrix: Matrix) -> int:
    """Calls that were made to fail."""
    return sum(number for (truth, _), number in matrix.items() if truth is not None)


def exact_share(matrix: Matrix) -> float:
    """Share of the failed calls whose category is the true one."""
    exact = sum(number for (truth, label), number in matrix.items() if truth is label and truth is not None)
    return exact / max(failed_calls(matrix), 1)


def worst_category(matrix: Matrix) -> tuple[ToolError, float]:
    """The category that is found least often as itself, and how often."""
    exact = {error: precision_recall(of_category(matrix, error))[1] for error in ToolError}
    worst = min(ToolError, key=lambda error: exact[error])
    return worst, exact[worst]


def _grouped(matrix: Matrix, belongs: Callable[[ToolError | None], bool]) -> Detected:
    counts: Detected = Counter()
    for (truth, label), number in matrix.items():
        counts[belongs(truth), belongs(label)] += number
    return counts


def show(title: str, matrix: Matrix, legacy: Mapping[tuple[bool, bool], int]) -> None:
    """Print the confusion matrix and the shares."""
    kinds: list[ToolError | None] = [*ToolError, None]
    failed = failed_calls(matrix)
    print(f"\n{title}: {failed} failed calls, {matrix.total() - failed} others")
    heads = "".join(f"{(kind or 'no error')[:11]:>12}" for kind in kinds)
    print(f"{'truth / label':26}{heads}   precision recall  detected")
    for truth in kinds:
        row = f"{truth or 'no error':26}" + "".join(f"{matrix[truth, label]:12}" for label in kinds)
        if truth is not None:
            precision, recall = precision_recall(of_category(matrix, truth))
            total = sum(matrix[truth, label] for label in kinds)
            row += f"   {precision:9.4f} {recall:.4f} {1 - matrix[truth, None] / max(total, 1):9.4f}"
        print(row)
    shares = {"failed or not": detection(matrix), "masked or not": masked(matrix), "legacy rule": legacy}
    for name, counts in shares.items():
        precision, recall = precision_recall(counts)
        print(f"{name:26}precision {precision:.4f} recall {recall:.4f}")
    worst, recall = worst_category(matrix)
    print(f"{'exact category':26}recall {exact_share(matrix):.4f}, worst {worst.value} {recall:.4f}")
