"""GSM8K: `{"question": ..., "answer": "worked solution ... #### 72"}`."""

from collections.abc import Mapping

from components.ingest.fields import is_number, text_of
from components.ingest.formats.base import Format
from components.ingest.rows import Draft, RowError

MARK = "####"


def number_after_mark(field: str, text: str) -> str:
    """The number after the last `####`.

    Raises:
        RowError: no mark, nothing behind it, or no number.
    """
    if MARK not in text:
        raise RowError(field, f"missing gold answer, expected {MARK} and a number")
    gold = text.rsplit(MARK, 1)[1].strip()
    if not is_number(gold):
        raise RowError(field, f"expected a number after {MARK}, got {gold[:40]!r}")
    return gold


def convert(row: Mapping[str, object]) -> Draft:
    """The question and the number after `####`."""
    question = text_of(row, ("question",))
    return Draft(question, (number_after_mark("answer", text_of(row, ("answer",))),), answer_type="number")


def matches(row: Mapping[str, object]) -> bool:
    """Whether the answer holds the mark."""
    answer = row.get("answer")
    return "question" in row and isinstance(answer, str) and MARK in answer


FORMAT = Format("gsm8k", "gsm8k", matches, convert)
