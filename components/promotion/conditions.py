"""Which evaluations may be compared: of the same questions, under the same conditions."""

from typing import Any

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.scoring.conditions import check_same_conditions
from components.storage import open_input

# What an evaluation without tools does otherwise.
NO_TOOL_CONDITIONS = ("without_tools", "settings.variant")


def check_policies(before: Artifact, after: Artifact, adapter: Artifact) -> None:
    """Refuse evaluations that can't be compared for this adapter.

    Raises:
        InputError: `after` judged another adapter, or both differ in more than that.
    """
    judged = after.manifest.lineage.get("adapter", "")
    if judged != adapter.digest:
        shown = judged[:12] or "the base model"
        raise InputError(f"after: it judged {shown}, expected an evaluation of adapter {adapter.digest[:12]}")
    check_same_conditions(("before", "after"), before.manifest, after.manifest)


def open_between(between: Any, before: Artifact, artifact_store: str) -> Artifact | None:
    """The evaluation on the way, if one is given.

    Raises:
        InputError: it judged other questions than `before`, or was made under other settings.
    """
    if between is None:
        return None
    opened = open_input(between.path, "evaluation/1", artifact_store)
    check_same_conditions(("before", "between"), before.manifest, opened.manifest)
    return opened


def open_regression(before: Any, after: Any, adapter: Artifact, artifact_store: str) -> tuple[Artifact, ...]:
    """The evaluations of the regression stage, if they are given: of the base model and of the adapter.

    Raises:
        InputError: only one is given, `after` judged another adapter, or both differ in more than that.
    """
    if before is None and after is None:
        return ()
    if before is None or after is None:
        missing, there = ("before", "after") if before is None else ("after", "before")
        raise InputError(f"regression_{missing}: missing beside regression_{there}; expected both or neither")
    first, second = (open_input(one.path, "evaluation/1", artifact_store) for one in (before, after))
    judged = second.manifest.lineage.get("adapter", "")
    if judged != adapter.digest:
        shown = judged[:12] or "the base model"
        raise InputError(
            f"regression_after: it judged {shown}, expected an evaluation of adapter {adapter.digest[:12]}"
        )
    check_same_conditions(("regression_before", "regression_after"), first.manifest, second.manifest)
    return first, second


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
    check_same_conditions(
        ("before", "without_tools"),
        before.manifest,
        opened.manifest,
        may_differ=NO_TOOL_CONDITIONS,
        subject="the tools",
    )
    return opened
