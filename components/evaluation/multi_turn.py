"""BFCL's multi-turn questions: played in the benchmark's own classes, and judged while these are there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.contracts.records import Outcome, Question, Trace
from components.evaluation.settings import EvaluationSettings
from components.policy.engine import Engine
from components.rollout.bfcl_multi_turn import run_bfcl_multi_turn
from components.scoring.bfcl.api_service import StatefulApis
from components.scoring.bfcl.multi_turn import judge_multi_turn_trace
from components.scoring.judgement import MULTI_TURN
from components.storage.wheels import bfcl_package


def is_multi_turn(question: Question) -> bool:
    """Whether a question is one of BFCL's conversations."""
    return question.suite.startswith(MULTI_TURN)


@contextmanager
def open_apis(questions: Sequence[Question], settings: EvaluationSettings) -> Iterator[StatefulApis | None]:
    """The benchmark's classes, where a question needs them.

    Raises:
        InputError: the package can't be fetched, or the folder holds none of the classes.
    """
    if not any(map(is_multi_turn, questions)):
        yield None
        return
    named = settings.bfcl_package
    with StatefulApis(Path(named) if named else bfcl_package("bfcl_package")) as apis:
        yield apis


def play(
    questions: Sequence[Question],
    engine: Engine,
    settings: EvaluationSettings,
    apis: StatefulApis,
    adapter: str,
) -> Iterator[Trace]:
    """A trace of each conversation, whose outcome says whether it is right, and what is wrong with it.

    Raises:
        InputError: as `run_bfcl_multi_turn`, at once.
    """
    played = run_bfcl_multi_turn(questions, engine, settings, apis, adapter=adapter)
    return (_judged(trace, apis) for trace in played)


def _judged(trace: Trace, apis: StatefulApis) -> Trace:
    verdict = judge_multi_turn_trace(trace, apis)
    outcome = Outcome(answer=trace.outcome.answer, correct=verdict.correct, category=verdict.category)
    return trace.model_copy(update={"outcome": outcome})
