"""`python -m tests.battery.labeller`: how well foreign feedback is labelled from its text alone.

The tools service's executor runs valid calls under its seeded fault injector, codes stripped, in wordings of foreign
services; the truth log judges. Negatives are what the tools themselves reply: sums, articles about errors, foreign results.
The headline is the held-out wordings', written by somebody else and never seen by who made the patterns; those of the four
development sets, RoTBench's and those of calls that the schemas reject are printed apart. The last line is JSON: `precision` and
`recall` of telling failed calls from others, the same of the paper's rule (`legacy`), and the failed `calls`.
"""

import argparse
import importlib.util
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

from components.contracts.tool_errors import ToolError
from tests.battery.labeller import rotbench
from tests.battery.labeller.faults import inject
from tests.battery.labeller.scores import (
    Detected,
    Matrix,
    detection,
    exact_share,
    failed_calls,
    judge,
    masked,
    precision_recall,
    show,
    worst_category,
)
from tests.battery.labeller.wordings import by_manner, frameworks, home_made, plain
from tools_service.faults import FAULT_WORDS

HELD_OUT = "tests.battery.labeller.wordings.held_out"
DEVELOPMENT = {
    "by manner": by_manner,
    "plain": plain,
    "home-made": home_made,
    "frameworks": frameworks,
}
WANTED = 0.98


def service_wordings() -> ModuleType:
    """The fault injector's own wordings in the form of a wording module."""
    failures = {
        error: tuple(one.format(tool="<tool>", parameter="<parameter>") for one in texts)
        for error, texts in FAULT_WORDS.items()
    }
    module = SimpleNamespace(FAILURES=failures, REPLIES=by_manner.REPLIES, ARTICLES=by_manner.ARTICLES)
    return module  # type: ignore[return-value]


def measure(
    title: str, wordings: ModuleType, calls: int, seed: int, *, wrong: bool
) -> tuple[Matrix, Detected]:
    """Inject, judge and print one set of wordings. wrong: print the texts that were labelled wrongly, too."""
    rows, tools = inject(calls, wordings, seed)
    matrix, legacy, mistakes = judge(rows, tools)
    kinds = sum(len(texts) for texts in wordings.FAILURES.values())
    show(
        f"{title} ({kinds} of failures, {len(wordings.REPLIES) + len(wordings.ARTICLES)} others)",
        matrix,
        legacy,
    )
    if wrong:
        for (change, text), number in mistakes.most_common():
            print(f"{number:5} {change}: {text[:150]!r}")
    return matrix, legacy


def show_rotbench() -> dict[str, float] | None:
    """Agreement with the hand-checked truth on RoTBench; None, by name, when the samples are not there."""
    folder = os.environ.get("WHETSTONE_TEST_DATA", "")
    if not folder or not (Path(folder) / rotbench.FILE).is_file():
        print("\nRoTBench Third_Turn: skipped: WHETSTONE_TEST_DATA has no rotbench/Third_Turn_clean.json")
        return None
    ours, legacy, categories, disagreed = rotbench.score(Path(folder))
    agreement = (ours[True, True] + ours[False, False]) / ours.total()
    precision, recall = precision_recall(ours)
    old = precision_recall(legacy)
    print(
        f"\nRoTBench Third_Turn: {ours.total()} real replies, {ours[True, True] + ours[True, False]} of failed calls"
    )
    print(f"agreement {agreement:.4f} precision {precision:.4f} recall {recall:.4f}")
    print(f"legacy rule: precision {old[0]:.4f} recall {old[1]:.4f}")
    print("labels: " + ", ".join(f"{name} {number}" for name, number in categories.most_common()))
    for reply in disagreed:
        print(f"      disagreed: {reply[:150]!r}")
    return {"agreement": round(agreement, 4), "precision": round(precision, 4), "recall": round(recall, 4)}


def main() -> int:
    """0 when precision and recall on the wordings that are judged last are at least 0.98."""
    parser = argparse.ArgumentParser(prog="python -m tests.battery.labeller", description=__doc__)
    parser.add_argument(
        "--calls", type=int, default=10_000, help="calls of each set; about 60 %% are made to fail"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--wrong", action="store_true", help="print wrong labels, those of the held-out set left out"
    )
    parser.add_argument(
        "--development", action="store_true", help="leave the held-out wordings out; the last set is judged"
    )
    given = parser.parse_args()
    measure("service's own wordings", service_wordings(), given.calls, given.seed, wrong=given.wrong)
    for name, wordings in DEVELOPMENT.items():
        matrix, legacy = measure(
            f"development wordings, {name}", wordings, given.calls, given.seed, wrong=given.wrong
        )
    real = show_rotbench()
    judged_on = "development"
    if not given.development:
        if importlib.util.find_spec(HELD_OUT) is None:
            print(
                f"\nheld-out wordings: skipped: {HELD_OUT} is not there; the last development set is judged"
            )
        else:
            judged_on = "held_out"
            matrix, legacy = measure(
                "held-out wordings", import_module(HELD_OUT), given.calls, given.seed, wrong=False
            )
    print(json.dumps(summary(judged_on, matrix, legacy) | {"rotbench": real}))
    return 0 if min(precision_recall(detection(matrix))) >= WANTED else 1


def summary(judged_on: str, matrix: Matrix, legacy: Detected) -> dict[str, object]:
    """The last line's object. calls: those made to fail. exact: share of them with the true category."""
    worst, recall = worst_category(matrix)
    return {
        **_rounded(detection(matrix)),
        "legacy": _rounded(legacy),
        "calls": failed_calls(matrix),
        "exact": round(exact_share(matrix), 4),
        "masked": _rounded(masked(matrix)),
        "worst": {"category": worst.value, "recall": round(recall, 4)},
        "categories": len({truth for truth, _ in matrix if truth is not None} & set(ToolError)),
        "wordings": judged_on,
    }


def _rounded(counts: Detected) -> dict[str, float]:
    precision, recall = precision_recall(counts)
    return {"precision": round(precision, 4), "recall": round(recall, 4)}


if __name__ == "__main__":
    sys.exit(main())
