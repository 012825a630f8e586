"""`Question.reference`: JSON of what a benchmark's own checker needs beside the golds, each benchmark in its own form."""

from typing import TypeVar

from pydantic import ValidationError

from components.contracts.errors import InputError
from components.contracts.records import Question, Record

Form = TypeVar("Form", bound=Record)


def read_reference(question: Question, form: type[Form], expected: str) -> Form:
    """The reference of a question in its benchmark's form. expected: what the error says should be there.

    Raises:
        InputError: it has none, or one of another form.
    """
    try:
        return form.model_validate_json(question.reference)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the JSON"
        raise InputError(
            f"question {question.id}: reference: {where}: {first['msg']}; expected {expected}"
        ) from None
