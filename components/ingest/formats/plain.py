"""A question and its answers under their usual names; also ingest's own Question records.

Optional fields: `id`, `kind`, `subject`, `tools` (names or schemas) and `answer_type` ("text" or
"number"). Answers that are JSON numbers are compared as numbers; text is compared as text unless
`answer_type` says otherwise, since a year in a file of text is a name more often than a quantity.
"""

from collections.abc import Mapping

from components.ingest.fields import answers_of, first_present, is_number, optional_text, text_of, tools_of
from components.ingest.formats.base import Format
from components.ingest.rows import Draft, RowError

QUESTION_FIELDS = ("question", "query", "problem", "text", "prompt", "input")


def convert(row: Mapping[str, object]) -> Draft:
    """The question, its answers and the optional fields."""
    answers, all_numbers = answers_of(row)
    answer_type = optional_text(row, "answer_type") or ("number" if all_numbers else "text")
    if answer_type not in ("text", "number"):
        raise RowError("answer_type", f"expected 'text' or 'number', got {answer_type!r}")
    if answer_type == "number" and not all(is_number(answer) for answer in answers):
        raise RowError("answers", f"answer_type is 'number', got {answers[0][:40]!r}")
    return Draft(
        text_of(row, QUESTION_FIELDS),
        answers,
        answer_type=answer_type,
        subject=optional_text(row, "subject"),
        id=optional_text(row, "id"),
        kind=optional_text(row, "kind"),
        tools=tools_of(row),
    )


def matches(row: Mapping[str, object]) -> bool:
    """Whether there is a question; a missing answer is the row's fault, not the format's."""
    return first_present(row, QUESTION_FIELDS) is not None


FORMAT = Format("plain", "question", matches, convert)
