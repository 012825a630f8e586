"""Real artifacts on disk for the tests of the ablation's table. Not a test."""

from collections.abc import Sequence
from pathlib import Path

from components.ablation.settings import AblationSettings
from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.jsonl import write_records
from components.contracts.records import EvaluationItem
from components.contracts.tool_errors import ToolError

TITLES = AblationSettings().rows


def judged_by_gold(identifier: str, right: bool, *, kind: str = "seen_tools") -> EvaluationItem:
    """A question with a gold call; a wrong turn has the right tool and parameters, but another value."""
    return _item(identifier, kind, right).model_copy(
        update={
            "tool_selected": True,
            "parameters_identified": True,
            "content_filled": right,
            "category": "correct" if right else "wrong content",
        }
    )


def answered(identifier: str, right: bool, *, calls: int) -> EvaluationItem:
    """A question with an accepted answer, which is given word for word when right; every call went well."""
    changes = {
        "gold": ("4",),
        "exact_match": right,
        "calls": calls,
        "first_turn_calls": calls,
        "passed_calls": calls,
    }
    return _item(identifier, "arithmetic", right).model_copy(update=changes)


def executed(identifier: str, right: bool, *errors: ToolError, calls: int = 2) -> EvaluationItem:
    """A question that was answered with executed tools; its answer is no refusal exactly when right."""
    changes = {"gold": ("4",), "calls": calls, "errors": errors, "valid_answer": right}
    return _item(identifier, "arithmetic", right).model_copy(update=changes)


def write_row(
    folder: Path,
    title: str,
    items: Sequence[EvaluationItem],
    *,
    adapter: str = "",
    questions: str = "q" * 64,
    temperature: float = 0.0,
    variant: str = "multi_step",
) -> Artifact:
    """An `evaluation/1` with this title."""
    with write_artifact(folder, "evaluation/1") as writer:
        write_records(writer.folder / "items.jsonl", items)
        writer.lineage["question_set"] = questions
        if adapter:
            writer.lineage["adapter"] = adapter
        writer.details.update(
            base_model="demo://test",
            title=title,
            settings={"temperature": temperature, "variant": variant, "engine": {"kind": "x"}},
        )
    return open_artifact(folder, "evaluation/1")


def write_moved(folder: Path, moved: float, *, initial: str = "") -> Artifact:
    """An `adapter/1` that says how far it moved."""
    with write_artifact(folder, "adapter/1") as writer:
        (writer.folder / "adapter_model.safetensors").write_bytes(folder.name.encode())
        writer.details["moved"] = moved
        if initial:
            writer.lineage["initial"] = initial
    return open_artifact(folder, "adapter/1")


def write_arms(folder: Path, answers: dict[str, Sequence[bool]]) -> dict[str, list[Artifact]]:
    """Everything that the stage reads; `answers` says of each row which of its questions are right.

    The lists come in an order that says nothing about the rows.
    """
    found: dict[str, list[Artifact]] = {"base": [], "without": [], "with": [], "sft": [], "ppo": []}
    for number, (title, with_ppo) in enumerate(
        (("none", "IRM"), ("MAE", "MAE & IRM"), ("PKT", "PKT & IRM"), ("MAE & PKT", "All"))
    ):
        tuned = write_moved(folder / f"sft-{number}", 1.0 + number)
        improved = write_moved(folder / f"ppo-{number}", 0.25 * (1 + number), initial=tuned.digest)
        found["sft"].append(tuned)
        found["ppo"].insert(0, improved)
        found["without"].insert(0, _row(folder, title, answers[title], tuned.digest))
        found["with"].append(_row(folder, with_ppo, answers[with_ppo], improved.digest))
    found["base"].append(_row(folder, "base model", answers["base model"], ""))
    return found


def _row(folder: Path, title: str, right: Sequence[bool], adapter: str) -> Artifact:
    items = [judged_by_gold(f"q{index}", one) for index, one in enumerate(right)]
    return write_row(folder / f"row {title}", title, items, adapter=adapter)


def _item(identifier: str, kind: str, right: bool) -> EvaluationItem:
    return EvaluationItem(
        id=identifier,
        suite="held_out",
        kind=kind,
        question=identifier,
        gold=(),
        answer=None,
        correct=right,
        exact_match=False,
        calls=1,
        first_turn_calls=1,
        passed_calls=1,
        answerable_calls=0,
        tools_called=(),
        errors=(),
        seconds=0.01,
        tokens=5,
        trace_id=identifier,
    )
