"""Benchmarks' files as they are published, made small, and what ingest reads of them. Not a test."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.contracts.jsonl import read_raw
from components.contracts.records import Question
from components.ingest.quarantine import Quarantine
from components.ingest.settings import IngestSettings
from components.ingest.suites import Suite, read_suites, suite_questions

HYPOT = {
    "name": "math.hypot",
    "description": "Length of a vector.",
    "parameters": {
        "type": "dict",
        "properties": {
            "x": {"type": "float", "description": "First."},
            "z": {"type": "integer", "description": "Third, 0 by default."},
        },
        "required": ["x"],
    },
}


def lines(path: Path, rows: Iterable[Mapping[str, Any] | str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{text}\n" for text in texts))


def bfcl_row(name: str, function: Any = HYPOT, text: str = "How long?") -> dict[str, Any]:
    functions = function if isinstance(function, list) else [function]
    return {"id": name, "question": [[{"role": "user", "content": text}]], "function": functions}


def publish(
    folder: Path, group: str, rows: list[dict[str, Any]], answers: Mapping[str, Any], version: int = 4
) -> str:
    """A group as the wheel has it; the folder."""
    name = f"BFCL_v{version}_{group}.json"
    lines(folder / "bfcl_eval/data" / name, rows)
    if answers:
        found = [{"id": key, "ground_truth": value} for key, value in answers.items()]
        lines(folder / "bfcl_eval/data/possible_answer" / name, found)
    return str(folder)


def read(
    folder: Path, suites: str, data: Mapping[str, str], **settings: Any
) -> tuple[dict[str, Suite], list[Any]]:
    """The suites by name, and what was set aside."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "quarantine.jsonl"
    wanted = IngestSettings(suites=suites, suite_data=dict(data), **settings)  # type: ignore[arg-type]
    found = {one.name: one for one in read_suites(wanted, Quarantine(place), folder)}
    assert list(found) == list(wanted.suites)
    questions = list(suite_questions(list(found.values())))
    assert len({one.id for one in questions}) == len(questions)
    for name, suite in found.items():
        assert suite.read == len(suite.questions) + suite.set_aside
        assert all(one.suite == name and one.id.startswith(f"{name}/") for one in suite.questions)
    return found, [row for _, row in read_raw(place)]


def only(found: Mapping[str, Suite]) -> Question:
    ((question,),) = [suite.questions for suite in found.values()]
    return question
