"""Regression: tasks that training was not about, asked of a policy by lm-evaluation-harness."""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.images import image
from components.contracts.jsonl import write_records
from components.contracts.progress import Progress
from components.contracts.records import EvaluationItem
from components.regression.harness import ask, check_container, harness_folder
from components.regression.items import VERDICTS, digest_of, items_of, suite_of
from components.regression.settings import RegressionSettings, Task
from components.regression.tasks import write_definition
from components.storage import fetch, open_input, write_output

SPLIT = "regression"


def run(
    base_model: str,
    settings: str,
    artifact_store: str,
    evaluation: Any,
    metrics: Any,
    adapter: Any = None,
    title: str = "",
) -> None:
    """Ask the tasks of the settings and write `evaluation/1`, its suites named `regression:<task>`.

    evaluation, metrics: KFP artifacts. adapter: artifact adapter/1, or None for the base model.

    Raises:
        InputError: settings, artifacts, model or rows can't be used, lm-evaluation-harness is not installed or
            judges otherwise than expected, or humaneval is to run outside a container.
    """
    options = RegressionSettings.parse(settings)
    harness = harness_folder()
    if "humaneval" in options.tasks:
        check_container()
    policy = open_input(adapter.path, "adapter/1", artifact_store) if adapter is not None else None
    with tempfile.TemporaryDirectory(prefix="whetstone-regression-") as scratch:
        definitions = {
            task: write_definition(task, fetch(uri, Path(scratch) / task), harness, Path(scratch))
            for task, uri in options.data.items()
        }
        items, version = _ask_all(base_model, policy.folder if policy else None, options, definitions)
    summary = summarize(items)
    with write_output(evaluation.path, "evaluation/1", artifact_store) as writer:
        writer.lineage["question_set"] = digest_of(items)
        if policy is not None:
            writer.lineage["adapter"] = policy.digest
        shown = f"{base_model} with adapter {policy.digest[:12]}" if policy else base_model
        writer.details.update(
            {
                "base_model": base_model,
                "title": title or shown,
                "split": SPLIT,
                "harness": version,
                "settings": options.model_dump(mode="json", exclude={"batch_size"}),
            }
        )
        writer.counts["items"] = write_records(writer.folder / "items.jsonl", items)
        write_records(writer.folder / "traces.jsonl", ())
        text = json.dumps(summary, indent=2, allow_nan=False)
        (writer.folder / "summary.json").write_text(f"{text}\n", encoding="utf-8")
    for task in options.tasks:
        right = [item.correct for item in items if item.suite == suite_of(task)]
        metrics.log_metric(f"{task}_questions", float(len(right)))
        metrics.log_metric(f"{task}_accuracy", sum(right) / len(right))


def summarize(items: Sequence[EvaluationItem]) -> dict[str, JsonValue]:
    """`suites`: `questions` and `accuracy` by suite; `questions`: how many by kind; `seconds` in all."""
    suites: dict[str, list[bool]] = {}
    kinds: dict[str, JsonValue] = {}
    for item in items:
        suites.setdefault(item.suite, []).append(item.correct)
    for kind in dict.fromkeys(item.kind for item in items):
        kinds[kind] = sum(item.kind == kind for item in items)
    return {
        "suites": {
            name: {"questions": len(right), "accuracy": sum(right) / len(right)}
            for name, right in suites.items()
        },
        "questions": kinds,
        "seconds": round(sum(item.seconds for item in items), 3),
    }


def _ask_all(
    base_model: str, adapter: Path | None, options: RegressionSettings, definitions: dict[Task, Path]
) -> tuple[list[EvaluationItem], str]:
    """The items of all tasks in their order, and the harness's version."""
    from components.policy.load import load_policy

    policy = load_policy(base_model, adapter=adapter, settings=options.model, merge=True)
    progress = Progress("regression", len(options.tasks))
    items: list[EvaluationItem] = []
    version = ""
    for task in options.tasks:
        begun = time.monotonic()
        answered = ask(policy, task, definitions.get(task), options)
        rows = sum(len({sample["doc_id"] for sample in samples}) for samples in answered.samples.values())
        each = round((time.monotonic() - begun) / max(rows, 1), 6)
        version = answered.version
        before = len(items)
        counted = _token_counter(policy.tokenizer)
        for subtask, samples in answered.samples.items():
            items += items_of(task, subtask, samples, seconds=each, count_tokens=counted)
        if len(items) == before:
            raise InputError(
                f"regression: {task}: lm-evaluation-harness {version} gave no row with {' and '.join(VERDICTS[task])}; "
                f"expected its version in {image('regression')}"
            )
        progress.advance()
    return items, version


def _token_counter(tokenizer: Any) -> Callable[[str], int]:
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])
