"""NQ-Open: as its authors and Hugging Face have it, and with passages.

    {"question": "where did they film hot tub time machine", "answer": ["Fernie Alpine Resort"]}
    {"question": "who ...", "answers": ["A", "B"], "ctxs": [...], "nq_annotated_gold": {"title": "Page", ...}}

The first form has no field of its own: it is taken for NQ where the file (or its folder) is named so, such as
NQ-open.dev.jsonl or nq_open/train.jsonl; elsewhere it is plain.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from components.ingest.fields import answers_of, text_of
from components.ingest.formats.base import Format
from components.ingest.rows import Draft

NAMED = re.compile(r"(?<![a-z0-9])(nq|natural[-_ ]?questions)(?![a-z0-9])")


def convert(row: Mapping[str, object]) -> Draft:
    """The question and its answers; the subject is the title of the page that holds the answer."""
    answers, _ = answers_of(row)
    return Draft(text_of(row, ("question",)), answers, subject=_page_title(row))


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has NQ's fields beside question and answers."""
    return "question" in row and "answers" in row and ("nq_annotated_gold" in row or "ctxs" in row)


def matches_in(row: Mapping[str, object], file: str) -> bool:
    """Whether the row is a question with a list of answers, in a file that is named after NQ."""
    answer = row.get("answer")
    # a table has the list as text
    listed = isinstance(answer, list) or (isinstance(answer, str) and answer.lstrip().startswith("["))
    name = "/".join(PurePosixPath(file.lower()).parts[-2:])
    return listed and "question" in row and NAMED.search(name) is not None


def _page_title(row: Mapping[str, object]) -> str:
    gold = row.get("nq_annotated_gold")
    title = gold.get("title") if isinstance(gold, Mapping) else None
    return title.strip() if isinstance(title, str) else ""


FORMAT = Format("nq", "nq", matches, convert, long_tail=True, matches_in=matches_in)
