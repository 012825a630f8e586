"""What lm-evaluation-harness logs of a row -> an item as all suites have it.

The harness logs a row once for each of its filters, as `{"doc_id", "doc", "target", "arguments", "resps",
"filtered_resps", "filter", "doc_hash", ..., METRIC: value}`; arguments are `[prompt, generation settings]`, or one
`[prompt, choice]` for each choice with its `[log-likelihood, is greedy]` in `filtered_resps`.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from components.contracts.records import EvaluationItem
from components.regression.harness import Sample
from components.regression.settings import Task

FAMILY = "regression:"
# By which filter's metric a row is judged. GSM8K's other filter wants the shots' very form, which a policy may lose
# without calculating any worse.
VERDICTS: dict[Task, tuple[str, str]] = {
    "mmlu": ("none", "acc"),
    "gsm8k": ("flexible-extract", "exact_match"),
    "humaneval": ("create_test", "pass@1"),
}


def suite_of(task: Task) -> str:
    """The suite's name, such as "regression:mmlu"."""
    return f"{FAMILY}{task}"


def items_of(
    task: Task, subtask: str, samples: Sequence[Sample], *, seconds: float, count_tokens: Callable[[str], int]
) -> list[EvaluationItem]:
    """The items of a subtask. seconds: what a row took, on average. `tokens` are those of what was generated."""
    name, metric = VERDICTS[task]
    found = []
    for sample in samples:
        if sample["filter"] == name and metric in sample:
            prompt, answer, gold, generated = _exchange(sample)
            correct = float(sample[metric]) > 0.5
            found.append(
                EvaluationItem(
                    id=f"{suite_of(task)}/{subtask}-{sample['doc_id']}",
                    suite=suite_of(task),
                    kind=subtask,
                    question=prompt,
                    gold=(gold,),
                    answer=answer,
                    correct=correct,
                    exact_match=correct,
                    calls=0,
                    first_turn_calls=0,
                    passed_calls=0,
                    answerable_calls=0,
                    tools_called=(),
                    errors=(),
                    seconds=seconds,
                    tokens=count_tokens(answer) if generated else 0,
                    trace_id="",
                )
            )
    return found


def digest_of(items: Sequence[EvaluationItem]) -> str:
    """What was asked, as one digest: evaluations of other rows or prompts can't be compared."""
    digest = hashlib.sha256()
    for item in items:
        for text in (item.id, item.question, *item.gold):
            digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


def _exchange(sample: Sample) -> tuple[str, str, str, bool]:
    """Prompt, answer, gold, and whether the answer was generated; else it is the likeliest choice."""
    arguments: Sequence[Any] = sample["arguments"]
    prompt, target = str(arguments[0][0]), sample["target"]
    if not isinstance(arguments[0][1], str):
        return prompt, str(sample["resps"][0][0]), str(target).strip(), True
    choices = [str(choice).strip() for _, choice in arguments]
    likelihoods = [float(response[0]) for response in sample["filtered_resps"]]
    likeliest = max(range(len(choices)), key=likelihoods.__getitem__)
    gold = choices[target] if isinstance(target, int) else str(target).strip()
    return prompt, choices[likeliest], gold, False
