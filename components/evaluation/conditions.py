"""Under which conditions an evaluation is made, and whether an earlier one was made under the same."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import Question
from components.contracts.tool_schemas import ToolSchema
from components.evaluation.settings import EvaluationSettings, Split
from components.rollout.prompts import offers_tools

SUITES = "suites.jsonl"
SPLIT_TITLES: Mapping[str, str] = {
    "held_out": "held-out questions",
    "validation": "validation questions",
    "train": "training questions, which show what was memorised",
}


def read_conditions(settings: str, overrides: str, split: str, *, without_tools: bool) -> EvaluationSettings:
    """The settings as they take effect: `split` unless empty, and `no_tool_variant` where no tools are offered.

    Raises:
        InputError: settings or overrides can't be used, or there is no such split.
    """
    options = EvaluationSettings.parse(settings, overrides)
    if split:
        if split not in get_args(Split):
            raise InputError(f"split: expected one of {', '.join(get_args(Split))}, got {split!r}")
        options = options.model_copy(update={"split": split})
    return options.model_copy(update={"variant": options.no_tool_variant}) if without_tools else options


def describe_conditions(
    options: EvaluationSettings,
    base_model: str,
    title: str,
    *,
    without_tools: bool,
    tools: Sequence[ToolSchema] | None = None,
) -> dict[str, JsonValue]:
    """What the manifest's details say of an evaluation. tools: the service's list, where a question needs it."""
    found: dict[str, JsonValue] = {} if tools is None else {"tools": digest_of_tools(tools)}
    return found | {
        "base_model": base_model,
        "title": title,
        "split": options.split,
        "without_tools": without_tools,
        "settings": options.model_dump(mode="json"),
    }


def digest_of_tools(tools: Sequence[ToolSchema]) -> str:
    """SHA-256 of the schemas as canonical JSON, in their order, in which a prompt shows them."""
    text = json.dumps(list(tools), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def is_same(earlier: Artifact, lineage: Mapping[str, str], details: Mapping[str, JsonValue]) -> bool:
    """Whether `earlier` judged the same policy on the same questions in the same way; titles may differ.

    lineage, details: what the manifest of the evaluation to be made would say.
    """
    found = earlier.manifest
    return dict(found.lineage) == dict(lineage) and _untitled(found.details) == _untitled(details)


def read_questions(question_set: Artifact, options: EvaluationSettings) -> Iterator[Question]:
    """The questions of the split and, where that is the held-out one, those of the suites behind them.

    Where no tools are offered, suites' questions that bring tools along are left out.

    Raises:
        InputError: as `read_split`.
    """
    yield from read_split(question_set, options.split)
    if options.split != "held_out" or all(entry.path != SUITES for entry in question_set.manifest.files):
        return
    offers = offers_tools(options.variant)
    for question in read_records(question_set.path(SUITES), Question):
        if offers or not question.offered:
            yield question


def read_split(question_set: Artifact, split: Split) -> Iterator[Question]:
    """The questions of a split.

    Raises:
        InputError: validation is wanted and the question set was made without; a line can't be read.
    """
    name = f"{split}.jsonl"
    entry = next((entry for entry in question_set.manifest.files if entry.path == name), None)
    if split == "validation" and (entry is None or not entry.size):
        reason = "has no validation.jsonl" if entry is None else "has an empty validation.jsonl"
        raise InputError(
            f"question_set: it {reason}, expected questions set aside for validation; run ingest again with "
            "validation=true, or judge the split held_out"
        )
    return read_records(question_set.path(name), Question)


def conditions_text(options: EvaluationSettings, *, without_tools: bool) -> str:
    """The conditions in a few words, for the report."""
    if without_tools:
        offered = "without tools"
    else:
        reader = "the server reads" if options.engine.server_tools else options.engine.call_format
        offered = f"with tools, calls as {reader}"
    return f"{SPLIT_TITLES[options.split]}, {offered}, prompt {options.variant}"


def deciding(
    lineage: Mapping[str, str],
    details: Mapping[str, JsonValue],
    *,
    served: str = "",
    content: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """By name all that decides what an evaluation's traces come to. lineage, details: as in `is_same`.

    served: what a server serves (`engine.served_model`). content: which data tools reply from. A model in a folder
    may be trained on in its place: its files count by size and time.
    """
    folder = Path(str(details["base_model"]))
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    found = {**lineage, "details": json.dumps(_untitled(details), sort_keys=True)}
    found |= {"served": served} if served else {}
    found |= {f"content {name}": what for name, what in (content or {}).items()}
    return found | {f"file {name}": f"{stat.st_size} {stat.st_mtime_ns}" for name, stat in files}


def _untitled(details: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: value for name, value in details.items() if name != "title"}
