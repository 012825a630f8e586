"""The questions that an evaluation judges."""

from collections import defaultdict
from collections.abc import Iterable

from components.contracts.errors import InputError
from components.contracts.records import Question
from components.rollout.prefill import sample_seed


def select_questions(questions: Iterable[Question], *, limit_per_kind: int, seed: int) -> list[Question]:
    """The questions to judge, in their own order; at most `limit_per_kind` (0: all) of each kind.

    Which ones a limit keeps depends on the seed and their ids only, so that two evaluations with
    equal settings judge the same questions.

    Raises:
        InputError: there is none, an id occurs twice, or one has no accepted answer.
    """
    kept = list(questions)
    seen: set[str] = set()
    for question in kept:
        if question.id in seen:
            raise InputError(f"question_set: question {question.id!r} occurs twice, expected unique ids")
        if not question.answers:
            raise InputError(
                f"question_set: question {question.id!r} has no gold, expected answers to judge by"
            )
        seen.add(question.id)
    if not kept:
        raise InputError("question_set: no question to judge; expected at least one in the chosen split")
    if not limit_per_kind:
        return kept
    by_kind: dict[str, list[Question]] = defaultdict(list)
    for question in sorted(kept, key=lambda question: sample_seed(seed, question.id, 0, "limit")):
        by_kind[question.kind].append(question)
    chosen = {question.id for group in by_kind.values() for question in group[:limit_per_kind]}
    return [question for question in kept if question.id in chosen]
