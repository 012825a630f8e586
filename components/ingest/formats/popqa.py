"""PopQA: `subj`, `question`, and `possible_answers` as a JSON list inside text."""

from collections.abc import Mapping

from components.ingest.fields import answers_of, optional_text, text_of
from components.ingest.formats.base import Format
from components.ingest.rows import Draft


def convert(row: Mapping[str, object]) -> Draft:
    """The question and its possible answers; the subject is the entity asked about."""
    answers, _ = answers_of(row, ("possible_answers",))
    number = optional_text(row, "id")
    return Draft(
        text_of(row, ("question",)),
        answers,
        subject=optional_text(row, "subj"),
        id=f"popqa-{number}" if number else "",
    )


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has PopQA's fields."""
    return {"question", "possible_answers", "subj"} <= row.keys()


FORMAT = Format("popqa", "popqa", matches, convert, long_tail=True)
