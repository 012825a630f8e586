"""Which evaluations may be compared: of the same questions, under the same conditions."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.storage import open_input

# What an evaluation without tools does otherwise.
NO_TOOL_CONDITIONS = ("without_tools", "settings.variant")


def check_lineage(before: Artifact, after: Artifact, adapter: Artifact) -> None:
    """Refuse evaluations that can't be compared for this adapter.

    Raises:
        InputError: `after` judged another adapter, or the question sets differ.
    """
    judged = after.manifest.lineage.get("adapter", "")
    if judged != adapter.digest:
        shown = judged[:12] or "the base model"
        raise InputError(f"after: it judged {shown}, expected an evaluation of adapter {adapter.digest[:12]}")
    check_questions(before, after)


def check_questions(before: Artifact, after: Artifact, *, name: str = "after") -> None:
    """Refuse evaluations of different question sets. name: what the second is called.

    Raises:
        InputError: names the beginnings of both digests.
    """
    sets = [side.manifest.lineage.get("question_set", "") for side in (before, after)]
    if sets[0] != sets[1]:
        raise InputError(
            f"before and {name} judged different question sets ({sets[0][:12]} and {sets[1][:12]}), "
            "expected two evaluations of the same one"
        )


def check_conditions(
    before: Artifact, after: Artifact, *, name: str = "after", free: Collection[str] = ()
) -> None:
    """Refuse evaluations of different base models, splits or settings; titles and what is `free` may differ.

    free: dotted names of details. name: what the second evaluation is called.

    Raises:
        InputError: names the first condition that differs, and both values.
    """
    sides = [_conditions(side.manifest.details) for side in (before, after)]
    for condition in sorted((sides[0].keys() | sides[1].keys()) - {"title", *free}):
        values = [side.get(condition, "absent") for side in sides]
        if values[0] != values[1]:
            raise InputError(
                f"before and {name} were made under different {condition} ({values[0]} and {values[1]}), "
                f"expected two evaluations that differ in {'the tools' if free else 'the adapter'} alone"
            )


def open_between(between: Any, before: Artifact, artifact_store: str) -> Artifact | None:
    """The evaluation on the way, if one is given.

    Raises:
        InputError: it judged other questions than `before`, or was made under other settings.
    """
    if between is None:
        return None
    opened = open_input(between.path, "evaluation/1", artifact_store)
    check_questions(before, opened, name="between")
    check_conditions(before, opened, name="between")
    return opened


def open_without_tools(without_tools: Any, before: Artifact, artifact_store: str) -> Artifact | None:
    """The evaluation of the base model without tools, if one is given.

    Raises:
        InputError: it had tools on offer, judged an adapter or other questions than `before`, or was made
            under other settings than their prompt.
    """
    if without_tools is None:
        return None
    opened = open_input(without_tools.path, "evaluation/1", artifact_store)
    if opened.manifest.details.get("without_tools") is not True:
        raise InputError(
            "without_tools: tools were on offer, expected an evaluation that was made with without_tools=true"
        )
    if judged := opened.manifest.lineage.get("adapter", ""):
        raise InputError(
            f"without_tools: it judged adapter {judged[:12]}, expected an evaluation of the base model"
        )
    check_questions(before, opened, name="without_tools")
    check_conditions(before, opened, name="without_tools", free=NO_TOOL_CONDITIONS)
    return opened


def _conditions(details: Mapping[str, JsonValue], prefix: str = "") -> dict[str, str]:
    """Each value as JSON, by its dotted name."""
    found: dict[str, str] = {}
    for name, value in details.items():
        if isinstance(value, dict):
            found |= _conditions(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = json.dumps(value)
    return found
