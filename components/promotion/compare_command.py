"""`python -m components.promotion compare`: two evaluations of the same questions, suite by suite; publishes nothing."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_errors
from components.contracts.records import EvaluationItem
from components.contracts.stage_command import OneLineParser, exit_code
from components.promotion.comparison import Pair, compare, compare_group, metrics_of, summary_of
from components.promotion.settings import PromotionSettings
from components.scoring.pairing import pair_by_id
from components.storage import open_input


def write_comparison(arguments: Sequence[str]) -> int:
    """Write the paired differences of two evaluations as JSON; 2 when an input can't be used."""
    parser = OneLineParser(prog="python -m components.promotion compare")
    parser.add_argument("--before", required=True, help="folder of an artifact evaluation/1")
    parser.add_argument("--after", required=True, help="folder of another, of the same questions")
    parser.add_argument("--out", required=True, type=Path, help="the JSON file to write")
    parser.add_argument("--settings", default="", help="JSON of components.promotion.settings")
    parser.add_argument("--artifact-store", default="", help="where the artifacts' payloads may lie")
    given = parser.parse_args(arguments)
    return exit_code(lambda: _write(given))


def compare_suites(pairs: Sequence[Pair], settings: PromotionSettings) -> dict[str, JsonValue]:
    """`summary_of` of all pairs, under `suites` of each suite's by itself, and the intervals' `confidence`."""
    suites = dict.fromkeys(before.suite for before, _ in pairs)
    found = summary_of(compare(pairs, {}, {}, settings))
    by_suite: dict[str, JsonValue] = {}
    for suite in suites:
        chosen = [pair for pair in pairs if pair[0].suite == suite]
        by_suite[suite] = {"questions": len(chosen), "rates": metrics_of(compare_group(chosen, settings))}
    return {**found, "suites": by_suite, "confidence": settings.confidence}


def _write(given: argparse.Namespace) -> None:
    settings = PromotionSettings.parse(given.settings)
    opened = [open_input(path, "evaluation/1", given.artifact_store) for path in (given.before, given.after)]
    sets = [side.manifest.lineage.get("question_set", "") for side in opened]
    if sets[0] != sets[1]:
        raise InputError(
            f"before and after judged different question sets ({sets[0][:12]} and {sets[1][:12]}), expected the same"
        )
    before, after = (list(read_records(side.path("items.jsonl"), EvaluationItem)) for side in opened)
    pairs = pair_by_id(before, after)
    if not pairs:
        raise InputError("before: the evaluation holds no item; expected at least one judged question")
    text = json.dumps(compare_suites(pairs, settings), indent=2, allow_nan=False)
    with write_errors(given.out):
        given.out.write_text(f"{text}\n", encoding="utf-8")
