"""`python -m tests.battery.labeller`: how well foreign feedback is labelled from its text alone.

The tools service's executor runs calls under its seeded fault injector, without codes, in wordings of foreign
services; those of the last set were held out from the patterns (`labeller_wordings`). The truth log judges. Negatives are
what the tools themselves reply: sums, articles about errors, foreign results. The last line is JSON: `precision`
and `recall` of telling failed calls from others on the held-out wordings, the same for the paper's rule.
"""

import argparse
import asyncio
import hashlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema
from components.error_labeling.feedback import classify_feedback, legacy_is_error
from tests.battery.labeller_texts import ARTICLES, RESULTS
from tests.battery.labeller_wordings import LATER, SECOND, THIRD, WORDINGS, is_held_out
from tools_service.calculator import calculator
from tools_service.execution import Call, Executor
from tools_service.faults import FAULT_WORDS, FaultInjector, FaultPlan, Truth
from tools_service.registry import Registry
from tools_service.retrievers import index_of_corpus, open_retriever
from tools_service.search import make_wikipedia_search

Matrix = Counter[tuple[ToolError | None, ToolError | None]]  # (truth, label) -> calls
RATE = 0.075  # of each category: 60 % of the calls fail


class ForeignFaults(FaultInjector):
    """The service's injector, its draws and truth log unchanged, with other words for each category."""

    def __init__(self, plan: FaultPlan, words: Mapping[ToolError, Sequence[str]]) -> None:
        super().__init__(plan)
        self._words = words

    def draw(self, name: str, arguments: Mapping[str, JsonValue]) -> tuple[ToolError, str] | None:
        """The category as the injector draws it; a wording by the call's digest."""
        drawn = super().draw(name, arguments)
        if drawn is None:
            return None
        digest = hashlib.sha256(json.dumps([self.plan.seed, name, arguments]).encode()).digest()
        words = self._words[drawn[0]]
        text = words[int.from_bytes(digest[:4], "big") % len(words)]
        return drawn[0], text.replace("<tool>", name).replace("<parameter>", next(iter(arguments), "input"))


def foreign_service(request: str, page: int = 1) -> str:
    """Replies as some service that is not ours would.

    Args:
        request: what to ask for
        page: which page of the reply
    """
    return RESULTS[page % len(RESULTS)]


def make_tools(folder: Path) -> Registry:
    """Calculator, search over articles about errors (and the samples' passages, if there), a foreign service."""
    corpus = folder / "passages.jsonl"
    rows = [json.dumps({"id": n, "title": t, "text": text}) for n, (t, text) in enumerate(ARTICLES)]
    corpus.write_text("\n".join(rows) + "\n", encoding="utf-8")
    registry = Registry()
    registry.add(calculator, quick=True)
    registry.add(make_wikipedia_search(open_retriever("bm25", str(index_of_corpus("bm25", corpus)))))
    registry.add(foreign_service)
    return registry


def make_calls(count: int) -> list[Call]:
    """Valid calls of the three tools, in turn; the same for the same count."""
    calls: list[Call] = []
    for number in range(count):
        if number % 3 == 0:
            name, arguments = "calculator", {"expression": f"{number} + 1"}
        elif number % 3 == 1:
            title = ARTICLES[number // 3 % len(ARTICLES)][0]
            name, arguments = "wikipedia_search", {"query": f"{title} {number}"}
        else:
            name, arguments = "foreign_service", {"request": f"item {number}", "page": number // 3}  # type: ignore[dict-item]
        calls.append(Call(id=str(number), name=name, arguments=arguments))
    return calls


def inject(
    count: int, words: Mapping[ToolError, Sequence[str]], seed: int
) -> tuple[list[Truth], list[ToolSchema]]:
    """The truth of `count` calls run by the executor under faults, and the tools' schemas."""
    plan = FaultPlan(seed=seed, rates=dict.fromkeys(ToolError, RATE), typed=False)

    async def run(registry: Registry) -> list[Truth]:
        executor = Executor(registry, threads=1, faults=(faults := ForeignFaults(plan, words)))
        calls = make_calls(count)
        try:
            for start in range(0, count, 200):
                await executor.run(calls[start : start + 200])
        finally:
            executor.close()
        return list(faults.rows)

    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("WHETSTONE_CACHE", folder)
        registry = make_tools(Path(folder))
        return asyncio.run(run(registry)), list(registry.schemas())


def judge(
    rows: Sequence[Truth], tools: Sequence[ToolSchema]
) -> tuple[Matrix, Counter[tuple[bool, bool]], Counter[tuple[str, str]]]:
    """Our confusion matrix, the legacy rule's (truth, label), and the texts that were labelled wrongly."""
    matrix: Matrix = Counter()
    legacy: Counter[tuple[bool, bool]] = Counter()
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


def detection(matrix: Matrix) -> Counter[tuple[bool, bool]]:
    """The matrix as failed or not."""
    return _grouped(matrix, lambda one: one is not None)


def masked(matrix: Matrix) -> Counter[tuple[bool, bool]]:
    """The matrix as the model's own fault or not: what MAE masks."""
    return _grouped(matrix, lambda one: one is not None and one.is_models_fault)


def of_category(matrix: Matrix, category: ToolError) -> Counter[tuple[bool, bool]]:
    """The matrix as this category or any other."""
    return _grouped(matrix, lambda one: one is category)


def _grouped(matrix: Matrix, belongs: Callable[[ToolError | None], bool]) -> Counter[tuple[bool, bool]]:
    counts: Counter[tuple[bool, bool]] = Counter()
    for (truth, label), number in matrix.items():
        counts[belongs(truth), belongs(label)] += number
    return counts


def show(title: str, matrix: Matrix, legacy: Mapping[tuple[bool, bool], int]) -> None:
    """Print the confusion matrix and the shares."""
    kinds: list[ToolError | None] = [*ToolError, None]
    failed = sum(number for (truth, _), number in matrix.items() if truth is not None)
    print(f"\n{title}: {failed} failed calls, {matrix.total() - failed} others")
    print(
        f"{'truth / label':26}"
        + "".join(f"{(kind or 'ok')[:11]:>12}" for kind in kinds)
        + "   precision recall  detected"
    )
    for truth in kinds:
        row = f"{truth or 'ok':26}" + "".join(f"{matrix[truth, label]:12}" for label in kinds)
        if truth is not None:
            precision, recall = precision_recall(of_category(matrix, truth))
            total = sum(matrix[truth, label] for label in kinds)
            row += f"   {precision:9.4f} {recall:.4f} {1 - matrix[truth, None] / max(total, 1):9.4f}"
        print(row)
    for name, counts in (
        ("failed or not", detection(matrix)),
        ("masked or not", masked(matrix)),
        ("legacy rule", legacy),
    ):
        precision, recall = precision_recall(counts)
        print(f"{name:26}precision {precision:.4f} recall {recall:.4f}")
    exact = sum(number for (truth, label), number in matrix.items() if truth is label and truth is not None)
    print(f"{'exact category':26}recall {exact / max(failed, 1):.4f}")


def main() -> int:
    """0 when precision and recall on the held-out wordings are at least 0.98."""
    parser = argparse.ArgumentParser(prog="python -m tests.battery.labeller", description=__doc__)
    parser.add_argument(
        "--calls", type=int, default=10_000, help="calls of each set; about 60 %% are made to fail"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--wrong", choices=("none", "seen", "all"), default="none", help="print wrong labels")
    given = parser.parse_args()
    held_out = {error: list(texts) for error, texts in LATER.items()}
    half = {error: [one for one in texts if is_held_out(one)] for error, texts in WORDINGS.items()}
    seen = {
        error: [*(one for one in texts if not is_held_out(one)), *SECOND[error], *THIRD[error]]
        for error, texts in WORDINGS.items()
    }
    service = {
        error: [one.format(tool="<tool>", parameter="<parameter>") for one in texts]
        for error, texts in FAULT_WORDS.items()
    }
    for title, words in (
        ("service's own wordings", service),
        ("foreign wordings, seen", seen),
        ("foreign wordings, of the seen waves, half held out", half),
        ("foreign wordings, fourth wave, held out", held_out),
    ):
        rows, tools = inject(given.calls, words, given.seed)
        matrix, legacy, wrong = judge(rows, tools)
        show(f"{title} ({sum(map(len, words.values()))})", matrix, legacy)
        if given.wrong == "all" or (given.wrong == "seen" and words in (service, seen)):
            for (change, text), number in wrong.most_common():
                print(f"{number:5} {change}: {text[:150]!r}")
    precision, recall = precision_recall(detection(matrix))
    exact = {error: precision_recall(of_category(matrix, error))[1] for error in ToolError}
    worst = min(ToolError, key=lambda error: exact[error])
    print(f"\nworst category: {worst.value}, recall {exact[worst]:.4f}")
    old = precision_recall(legacy)
    failed = sum(number for (truth, _), number in matrix.items() if truth is not None)
    line = {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "legacy": {"precision": round(old[0], 4), "recall": round(old[1], 4)},
        "calls": failed,
        "masked": dict(
            zip(
                ("precision", "recall"),
                (round(one, 4) for one in precision_recall(masked(matrix))),
                strict=True,
            )
        ),
        "worst": {"category": worst.value, "recall": round(exact[worst], 4)},
    }
    print(json.dumps(line))
    return 0 if min(precision, recall) >= 0.98 else 1


if __name__ == "__main__":
    sys.exit(main())
