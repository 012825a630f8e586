"""BFCL's single-turn Python questions as question records with their tools and golds. Not a test."""

import functools
import json
import os
from collections.abc import Iterator, Mapping
from itertools import islice, product
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.records import Message, Question, ToolCall
from components.contracts.tool_dialects import normalise_tools
from components.contracts.tool_schemas import ToolSchema, find_tool, required_parameters
from components.ingest.formats.bfcl import convert
from components.storage.wheels import bfcl_package

SETS = ("simple_python", "multiple", "parallel", "parallel_multiple")
TABLES = (*SETS, *(f"live_{name.removesuffix('_python')}" for name in SETS))
EXECUTABLE = tuple(f"exec_{name.removesuffix('_python')}" for name in SETS)
ALTERNATIVES = 64  # accepted calls; a question with more of them is left out
_OMITTED = object()


@functools.cache
def bfcl_data() -> Path:
    """The `data` folder of the bfcl-eval wheel: the one named, or that of the wheel that ingest fetches.

    Where neither is to be had (no network), one that is not there.
    """
    if given := os.environ.get("WHETSTONE_BFCL_DATA"):
        return Path(given)
    try:
        return bfcl_package("tests") / "data"
    except InputError:
        return Path("/nowhere")


def bfcl_questions(data: Path) -> Iterator[Question]:
    """All questions of the `data` folder of the bfcl-eval wheel whose accepted calls are known and finite.

    The AST sets list the allowed values of each argument: every combination is an accepted call. Of
    parallel calls only the first combination is kept.
    """
    for name in TABLES:
        for row in _rows(data / f"BFCL_v4_{name}.json", data / "possible_answer" / f"BFCL_v4_{name}.json"):
            yield from _from_table(row, name)
    unused = data / "unused_datasets"
    for name in EXECUTABLE:
        file = f"BFCL_v4_{name}.json"
        for row in _rows(unused / "question" / file, unused / "possible_answer" / file):
            exchange = convert(row)
            yield _question(row, name, exchange.tools, (exchange.said[-1].calls,))


def _rows(questions: Path, answers: Path) -> Iterator[dict[str, Any]]:
    golds = {row["id"]: row["ground_truth"] for row in _lines(answers)}
    for row in _lines(questions):
        if row["id"] in golds and len(row["question"]) == 1:
            yield row | {"ground_truth": golds[row["id"]]}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _from_table(row: Mapping[str, Any], name: str) -> Iterator[Question]:
    tools = normalise_tools(row["function"])
    calls = [_calls(entry, tools) for entry in row["ground_truth"]]
    if len(calls) == 1:
        golds = tuple((call,) for call in islice(calls[0], ALTERNATIVES + 1))
        if 0 < len(golds) <= ALTERNATIVES:
            yield _question(row, name, tools, golds)
    elif calls:
        yield _question(row, name, tools, (tuple(next(one) for one in calls),))


def _calls(entry: Mapping[str, Mapping[str, list[Any]]], tools: tuple[ToolSchema, ...]) -> Iterator[ToolCall]:
    ((name, allowed),) = entry.items()
    tool = find_tool(tools, name)
    required = required_parameters(tool) if tool else ()
    for arguments in _objects(allowed, required):
        yield ToolCall(name=name, arguments=arguments)


def _objects(allowed: Mapping[str, list[Any]], required: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Every object whose members have allowed values; an empty text allows an optional one to be left out."""
    choices: list[list[Any]] = []
    for key, values in allowed.items():
        listed = values if isinstance(values, list) else [values]
        leave_out = "" in listed and key not in required
        kept = [one for value in listed if not (value == "" and leave_out) for one in _values(value)]
        choices.append([*kept, _OMITTED] if leave_out else kept)
    for chosen in product(*choices):
        yield {key: value for key, value in zip(allowed, chosen, strict=True) if value is not _OMITTED}


def _values(value: Any) -> list[Any]:
    """What a listed value stands for: members of objects list their own allowed values."""
    if isinstance(value, dict):
        return list(islice(_objects(value), ALTERNATIVES + 1))
    if isinstance(value, list):
        return [list(one) for one in islice(product(*map(_values, value)), ALTERNATIVES + 1)]
    return [value]


def _question(
    row: Mapping[str, Any],
    name: str,
    tools: tuple[ToolSchema, ...],
    golds: tuple[tuple[ToolCall, ...], ...],
) -> Question:
    *before, last = row["question"][0]
    return Question(
        id=row["id"],
        text=last["content"].strip(),
        kind=f"bfcl_{name}",
        history=tuple(Message(role=one["role"], content=one["content"]) for one in before),
        offered=json.dumps(tools, ensure_ascii=False),
        golds=golds,
    )
