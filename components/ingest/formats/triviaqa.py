"""TriviaQA, as on Hugging Face (`trivia_qa`, every configuration) and as its authors released it.

    {"question": "Which American-born Sinclair won the Nobel Prize?", "question_id": "tc_1", "answer": {
       "value": "Sinclair Lewis", "aliases": ["Harry Sinclair Lewis"], "normalized_aliases": ["sinclair lewis"]}}
    {"Data": [{"Question": "Which ...?", "QuestionId": "tc_1", "Answer": {"Value": "Sinclair Lewis",
       "Aliases": ["Harry Sinclair Lewis"], "NormalizedAliases": ["sinclair lewis"]}}], "Domain": "Web"}

Of the authors' file each question is one row in the counts. The questions of the test split have no answers
(`<unk>` on Hugging Face) and are set aside. A split is by question, as their own is: the entity that the
rows name is the answer, and many questions share one.
"""

from collections.abc import Iterator, Mapping

from components.ingest.fields import first_present, from_json, optional_text, texts_of
from components.ingest.formats.base import Format, RawRow
from components.ingest.rows import Draft, RowError
from components.scoring.answers import normalize_text

UNKNOWN = "<unk>"  # stands for the hidden answers of the test split
WRITTEN = ("value", "Value", "aliases", "Aliases", "HumanAnswers")
NORMALIZED = ("normalized_aliases", "NormalizedAliases", "normalized_value", "NormalizedValue")


def parts(row: RawRow) -> Iterator[RawRow]:
    """Each question of the authors' file; another row is itself."""
    data = row.get("Data")
    if not isinstance(data, list):
        yield row
        return
    for one in data:
        yield one if isinstance(one, Mapping) else {"Question": None, "found": one}


def convert(row: Mapping[str, object]) -> Draft:
    """The question with its value and aliases; a normalised alias only where no other says the same."""
    text = row.get("question", row.get("Question"))
    if not isinstance(text, str) or not text.strip():
        raise RowError("question", "missing or empty, expected text")
    name = "answer" if "answer" in row else "Answer"
    answer = _answer(row, name)
    written = [one for key in WRITTEN for one in texts_of(f"{name}.{key}", answer.get(key))]
    said = {normalize_text(one) for one in written}
    shorter = [one for key in NORMALIZED for one in texts_of(f"{name}.{key}", answer.get(key))]
    golds = [*written, *(one for one in shorter if normalize_text(one) not in said)]
    answers = tuple(dict.fromkeys(one for one in golds if one != UNKNOWN))
    if not answers:
        raise RowError(name, "missing gold answer")
    number = optional_text(row, first_present(row, ("question_id", "QuestionId")) or "question_id")
    return Draft(text.strip(), answers, id=f"triviaqa-{number}" if number else "")


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row is a question with TriviaQA's answer, or the authors' file with one as its first."""
    data = row.get("Data")
    if isinstance(data, list):
        return bool(data) and isinstance(data[0], Mapping) and matches(data[0])
    if "Question" in row:
        answer = row.get("Answer")
        return "QuestionId" in row and (answer is None or isinstance(answer, Mapping))
    try:
        answer = _answer(row, "answer")
    except RowError:
        return False
    aliased = "aliases" in answer or "normalized_aliases" in answer
    return "question" in row and aliased and ("question_id" in row or "normalized_aliases" in answer)


def _answer(row: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The answer's object, which a table holds as JSON in text."""
    answer = row.get(name)
    if isinstance(answer, str) and answer.lstrip().startswith("{"):
        answer = from_json(name, answer)
    if answer is None:
        raise RowError(name, "missing gold answer")
    if not isinstance(answer, Mapping):
        raise RowError(name, f"expected an object with value and aliases, got {type(answer).__name__}")
    return answer


FORMAT = Format("triviaqa", "triviaqa", matches, convert, parts=parts)
