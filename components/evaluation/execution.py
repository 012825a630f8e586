"""API-Bank's questions judged also by execution, in the classes of a checkout of the benchmark."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.contracts.errors import InputError
from components.contracts.records import EvaluationItem, Question, Trace
from components.evaluation.settings import EvaluationSettings
from components.scoring.api_bank.execution import ApiBank, Execution
from components.scoring.api_bank.reference import earlier_calls, is_api_bank
from components.scoring.judgement import first_turn
from components.storage import fetch


@contextmanager
def open_api_bank(questions: Sequence[Question], settings: EvaluationSettings) -> Iterator[ApiBank | None]:
    """The checkout's classes, where one is named and a question needs them.

    Raises:
        InputError: the folder can't be read or is no checkout.
    """
    if not settings.api_bank_checkout or not any(is_api_bank(question.suite) for question in questions):
        yield None
        return
    with tempfile.TemporaryDirectory() as temporary:
        try:
            opened = ApiBank(fetch(settings.api_bank_checkout, Path(temporary)))
        except InputError as error:
            raise InputError(f"evaluation_settings.api_bank_checkout: {error}") from error
        with opened as api_bank:
            yield api_bank


def judge_execution(item: EvaluationItem, trace: Trace, api_bank: ApiBank | None) -> EvaluationItem:
    """The item with the verdict by execution, where its question is API-Bank's and a checkout is there.

    Raises:
        InputError: the question's reference can't be read.
    """
    question = trace.question
    if api_bank is None or not is_api_bank(question.suite):
        return item
    gold = next((calls[0] for calls in question.golds if len(calls) == 1), None)
    found = Execution(None, "no accepted turn is one call")
    if gold is not None:
        calls, unparsed = first_turn(trace)
        found = api_bank.judge(earlier_calls(question), gold, calls, unparsed=unparsed)
    return item.model_copy(update={"executed_correct": found.correct, "execution_note": found.note})
