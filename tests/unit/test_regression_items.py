"""Items out of what lm-evaluation-harness 0.4.13 logged for two rows of each task (the demo model, rows of our own)."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.contracts.records import EvaluationItem
from components.regression.items import digest_of, items_of
from components.regression.settings import Task

LOGGED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "lm_eval_samples.json").read_text(encoding="utf-8")
)


def items(task: Task) -> list[EvaluationItem]:
    (samples,) = LOGGED[task].values()
    return items_of(task, task, samples, seconds=0.5, count_tokens=lambda text: len(text.split()))


def test_a_row_that_is_logged_once_a_filter_is_one_item() -> None:
    assert len(LOGGED["gsm8k"]["gsm8k"]) == 4  # two rows, two filters
    right, wrong = items("gsm8k")
    assert (right.id, right.suite, right.kind) == ("regression:gsm8k/gsm8k-0", "regression:gsm8k", "gsm8k")
    assert right.question.endswith(
        "Question: Ada has 3 baskets with 4 pears in each. How many pears has she?\nAnswer:"
    )
    assert right.question.count("Question: ") == 6  # five shots
    assert right.answer == " She has 3*4=12 pears.\n#### 12\n\n"
    assert right.gold == ("There are 3*4=12 pears.\n#### 12",)
    assert right.correct
    assert (right.seconds, right.tokens) == (0.5, 6)
    assert wrong.answer == " There are 7*20=140 seats.\n#### 140\n\n"
    assert not wrong.correct


def test_a_choice_is_the_likeliest_one() -> None:
    spider, ice = items("mmlu")
    assert (spider.answer, spider.gold, spider.correct) == ("A", ("C",), False)
    assert (ice.answer, ice.gold, ice.correct) == ("A", ("A",), True)
    assert ice.question.endswith("A. Ice\nB. Steam\nC. Sand\nD. Smoke\nAnswer:")
    assert ice.tokens == 0  # nothing was generated


@pytest.mark.parametrize("task", ["gsm8k", "mmlu"])
def test_verdicts_are_the_harness_s_own(task: Task) -> None:
    (samples,) = LOGGED[task].values()
    name, metric = {"gsm8k": ("flexible-extract", "exact_match"), "mmlu": ("none", "acc")}[task]
    logged = [bool(sample[metric]) for sample in samples if sample["filter"] == name]
    assert [item.correct for item in items(task)] == logged


def test_a_solved_program_is_right() -> None:
    """The harness logs HumanEval's metric as `pass@1` of its filter `create_test`."""
    sample = {
        "doc_id": 3,
        "target": "assert add(1, 2) == 3",
        "arguments": [["def add(a, b):\n", {"until": ["\ndef"]}]],
        "resps": [["    return a + b"]],
        "filtered_resps": [["def add(a, b):\n    return a + b"]],
        "filter": "create_test",
        "pass@1": 1.0,
    }
    (item,) = items_of("humaneval", "humaneval", [sample], seconds=0.0, count_tokens=len)
    assert (item.id, item.suite, item.correct) == (
        "regression:humaneval/humaneval-3",
        "regression:humaneval",
        True,
    )
    assert (item.answer, item.gold) == ("    return a + b", ("assert add(1, 2) == 3",))


def test_rows_that_another_version_judges_otherwise_are_no_items() -> None:
    logged = [{**sample, "filter": "none"} for sample in LOGGED["gsm8k"]["gsm8k"]]
    assert items_of("gsm8k", "gsm8k", logged, seconds=0.5, count_tokens=len) == []
    logged = [{k: v for k, v in one.items() if k != "exact_match"} for one in LOGGED["gsm8k"]["gsm8k"]]
    assert items_of("gsm8k", "gsm8k", logged, seconds=0.5, count_tokens=len) == []


def test_the_digest_tells_what_was_asked_not_what_was_answered() -> None:
    first = items("gsm8k")
    answered = [item.model_copy(update={"answer": "7", "correct": False}) for item in first]
    assert digest_of(answered) == digest_of(first)
    assert digest_of(first[:1]) != digest_of(first)
    asked = [first[0].model_copy(update={"question": "?"}), first[1]]
    assert digest_of(asked) != digest_of(first)
