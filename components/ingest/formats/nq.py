"""NQ-Open, with or without passages: `question`, `answers`, `ctxs`, `nq_annotated_gold`."""

from collections.abc import Mapping

from components.ingest.fields import answers_of, text_of
from components.ingest.formats.base import Format
from components.ingest.rows import Draft


def convert(row: Mapping[str, object]) -> Draft:
    """The question and its answers; the subject is the title of the page that holds the answer."""
    answers, _ = answers_of(row)
    return Draft(text_of(row, ("question",)), answers, subject=_page_title(row))


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has NQ's fields beside question and answers."""
    return "question" in row and "answers" in row and ("nq_annotated_gold" in row or "ctxs" in row)


def _page_title(row: Mapping[str, object]) -> str:
    gold = row.get("nq_annotated_gold")
    title = gold.get("title") if isinstance(gold, Mapping) else None
    return title.strip() if isinstance(title, str) else ""


FORMAT = Format("nq", "nq", matches, convert, long_tail=True)
