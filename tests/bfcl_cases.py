"""BFCL's single-turn items with right and wrong answers to them, for comparing checkers. Not a test.

A case is known by its item, its kind and its seed, so that verdicts can be recorded without the benchmark's rows.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from components.contracts.records import ToolCall
from components.ingest.bfcl_golds import first_calls
from components.scoring.bfcl.reference import AST_GROUPS, SINGLE_TURN_GROUPS, BfclReference
from tests.bfcl_mutations import MUTATIONS, Calls, Item


class Case(NamedTuple):
    """One answer to an item."""

    kind: str
    calls: Calls
    unparsed: bool = False
    underscored: bool = False


def read_items(data: Path) -> list[Item]:
    """All single-turn items of the `data` folder of the bfcl-eval wheel, group by group."""
    return [item for group in SINGLE_TURN_GROUPS for item in _read_group(data, group)]


def read_rows(data: Path, group: str) -> Iterator[tuple[tuple[str, ...], tuple[dict[str, Any], ...]]]:
    """The answers, as calls in text, and the functions of each item of a retired executable group."""
    unused = data / "unused_datasets"
    if group == "rest":  # its answers are replies of servers; the calls are with the checks of those servers
        answers = unused / "executable_eval_sanity_check" / "api_status_check_ground_truth_rest.json"
    else:
        answers = unused / "possible_answer" / f"BFCL_v4_{group}.json"
    questions = _rows(unused / "question" / f"BFCL_v4_{group}.json")
    for question, answer in zip(questions, _rows(answers), strict=True):
        calls = answer["ground_truth"]
        yield (calls,) if isinstance(calls, str) else tuple(calls), tuple(question["function"])


def cases_of(item: Item, seed: int) -> Iterator[Case]:
    """The gold and one case of each kind that applies to the item."""
    if item.reference.group not in AST_GROUPS:
        yield from _calls_or_none(item, seed)
        return
    yield Case("gold", list(item.golds))
    yield Case("unparsed", [], unparsed=True)
    yield Case("no_call", [])
    if any("." in function["name"] for function in item.reference.functions):
        renamed = [call.model_copy(update={"name": call.name.replace(".", "_")}) for call in item.golds]
        yield Case("underscored", renamed, underscored=True)
        yield Case("underscored_dots", list(item.golds), underscored=True)
    for kind, mutate in MUTATIONS.items():
        source = random.Random(f"{seed}/{item.id}/{kind}")
        calls = mutate(item, source)
        if calls is not None:
            yield Case(kind, calls)


def _read_group(data: Path, group: str) -> Iterator[Item]:
    answers = data / "possible_answer" / f"BFCL_v4_{group}.json"
    golds = {row["id"]: row["ground_truth"] for row in _rows(answers)} if answers.exists() else {}
    for row in _rows(data / f"BFCL_v4_{group}.json"):
        accepted = golds.get(row["id"], [])
        reference = BfclReference(
            group=group, possible_answers=tuple(accepted), functions=tuple(row["function"])
        )
        yield Item(row["id"], reference, first_calls(accepted, row["function"], group))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _calls_or_none(item: Item, seed: int) -> Iterator[Case]:
    source = random.Random(f"{seed}/{item.id}")
    names = [function["name"] for function in item.reference.functions] or ["anything"]
    made = [
        ToolCall(name=source.choice(names), arguments={}),
        ToolCall(name=source.choice(names), arguments={"x": 1}),
    ]
    yield Case("no_call", [])
    yield Case("unparsed", [], unparsed=True)
    yield Case("call", made[:1])
    yield Case("extra_call", made)
    yield Case("wrong_name", [ToolCall(name="nothing.of_the_kind", arguments={"y": None})])
