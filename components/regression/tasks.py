"""The harness's tasks on rows of one's own: its definition of each, with another source of rows.

Rows are those of the published sets: `{"question", "answer"}` for GSM8K, `{"question", "choices", "answer"}` (a number
from 0) for MMLU, `{"task_id", "prompt", "test", "entry_point", ...}` for HumanEval.
"""

import json
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.jsonl import read_raw
from components.regression.settings import Task

# Under the harness's folder `tasks`.
DEFINITIONS: dict[Task, str] = {
    "mmlu": "mmlu/default/_default_template_yaml",
    "gsm8k": "gsm8k/gsm8k.yaml",
    "humaneval": "humaneval/humaneval.yaml",
}
FIELDS: dict[Task, tuple[str, ...]] = {
    "mmlu": ("question", "choices", "answer"),
    "gsm8k": ("question", "answer"),
    "humaneval": ("task_id", "prompt", "test", "entry_point"),
}
SHOTS = 5  # of GSM8K, by the harness's definition
# Subjects have a line of their own in the published task, and no shots; here they lie together.
DESCRIPTION = "The following are multiple choice questions (with answers).\n\n"


def write_definition(task: Task, rows: Path, harness: Path, folder: Path) -> Path:
    """A task file that includes the harness's own and reads `rows`; shots are other rows of the same file.

    harness: the folder of the package lm_eval.

    Raises:
        InputError: a row lacks a field of the task, or is no JSON object, or there are too few.
    """
    check_rows(task, rows)
    definition: dict[str, Any] = {
        "include": str(harness / "tasks" / DEFINITIONS[task]),
        "task": task,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(rows.resolve())}},
        "training_split": None,
        "validation_split": None,
        "test_split": "test",
        "fewshot_split": "test",  # the harness leaves the asked row out of its own shots
    }
    if task == "mmlu":
        definition |= {"description": DESCRIPTION, "num_fewshot": 0}
    path = folder / f"{task}.yaml"
    path.write_text(json.dumps(definition, indent=1), encoding="utf-8")  # JSON is YAML
    return path


def check_rows(task: Task, rows: Path) -> None:
    """Refuse rows that the task can't read.

    Raises:
        InputError: names the file, the line and the field.
    """
    count = 0
    for number, row in read_raw(rows):
        count += 1
        if not isinstance(row, dict):
            raise InputError(f"{rows}:{number}: expected a JSON object with {', '.join(FIELDS[task])}")
        for field in FIELDS[task]:
            if field not in row:
                raise InputError(f"{rows}:{number}: {field}: missing, expected a row of {task}")
    least = SHOTS + 1 if task == "gsm8k" else 1
    if count < least:
        raise InputError(f"{rows}: {count} rows, expected at least {least} of {task}")
