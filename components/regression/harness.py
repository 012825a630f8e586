"""lm-evaluation-harness, in the stage's own image: loaded here and nowhere else."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.images import image
from components.regression.settings import RegressionSettings, Task

Sample = Mapping[str, Any]
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


@dataclass(frozen=True)
class Answered:
    """What the harness logged: its samples by subtask, such as `mmlu_anatomy`; for MMLU there are many."""

    samples: Mapping[str, Sequence[Sample]]
    version: str


def harness_folder() -> Path:
    """The folder of the package.

    Raises:
        InputError: it is not installed.
    """
    found = importlib.util.find_spec("lm_eval")
    if found is None or found.origin is None:
        raise InputError(
            f"regression: lm-evaluation-harness is not installed here; expected the image {image('regression')}, "
            "or `pip install lm-eval` beside Whetstone"
        )
    return Path(found.origin).parent


def check_container() -> None:
    """Refuse to execute a model's code outside a container.

    Raises:
        InputError: there is no sign of one.
    """
    if "KUBERNETES_SERVICE_HOST" in os.environ or any(Path(mark).exists() for mark in CONTAINER_MARKS):
        return
    raise InputError(
        f"regression: humaneval executes code that the model wrote; expected to run in a container of {image('regression')}"
    )


def ask(policy: Any, task: Task, definition: Path | None, options: RegressionSettings) -> Answered:
    """Run one task on a loaded policy. definition: a task file in place of the harness's own.

    Raises:
        InputError: the task's rows can't be had.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if task == "humaneval":
        os.environ["HF_ALLOW_CODE_EVAL"] = "1"  # the metric's own switch
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    model = HFLM(
        pretrained=policy.model,
        tokenizer=policy.tokenizer,
        backend="causal",
        batch_size=options.batch_size,
    )
    try:
        found = lm_eval.simple_evaluate(
            model=model,
            tasks=[str(definition) if definition else task],
            limit=options.limit or None,
            log_samples=True,
            bootstrap_iters=0,
            fewshot_random_seed=options.seed,
            confirm_run_unsafe_code=options.allow_code_execution,
        )
    except (OSError, ConnectionError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"regression: {task}: can't have its rows ({reason}); give them as data.{task}, or let the hub be reached"
        ) from error
    return Answered(found["samples"], str(lm_eval.__version__))
