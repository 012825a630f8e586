"""The final answer of a turn."""

import pytest

from components.contracts.records import PromptVariant
from components.rollout.answers import final_answer


@pytest.mark.parametrize(
    ("variant", "text", "parsed", "answer"),
    [
        ("plain", " Paris. ", None, "Paris."),
        ("plain", "  ", None, None),
        ("cot", "2+2 is 4.\nAnswer: 4", "2+2 is 4.\nAnswer: 4", "4"),
        ("cot", "Answer: 3\nno, wait\n**Answer: 4**", None, "4"),
        ("cot", "It is 4.", None, "It is 4."),
        ("cot", "Thinking\nAnswer:\n42", None, "42"),
        ("multi_step", "Paris", "Paris", "Paris"),
        ("multi_step", "call", None, None),
        ("single_step", "Answer: x", " ", None),
    ],
)
def test_final_answer(variant: PromptVariant, text: str, parsed: str | None, answer: str | None) -> None:
    assert final_answer(text, parsed, variant) == answer
