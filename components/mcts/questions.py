"""Which questions are searched: those set aside for it, or the training questions that can be judged."""

from __future__ import annotations

from collections.abc import Sequence

from components.contracts.artifacts import Artifact
from components.contracts.data_share import in_share
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import Question
from components.contracts.search_records import BufferEntry
from components.mcts.settings import MCTSSettings

SET_ASIDE, TRAINING = "search.jsonl", "train.jsonl"


def read_pool(question_set: Artifact, settings: MCTSSettings) -> list[Question]:
    """The questions of `search.jsonl` that can be judged, or where there is none those of `train.jsonl`.

    Those are the ones with golds and, with `execute_tools`, those with answers; of them those in `data_share`.

    Raises:
        InputError: there is none, or an id occurs twice.
    """
    files = {entry.path for entry in question_set.manifest.files}
    for name in (SET_ASIDE, TRAINING):
        if name not in files:
            continue
        pool = [one for one in read_records(question_set.path(name), Question) if _is_judged(one, settings)]
        if pool:
            _check_unique(pool, name)
            pool = [one for one in pool if in_share(one.id, settings.data_share, settings.seed)]
            if not pool:
                raise InputError(
                    f"data_share: {settings.data_share} leaves no question to search, expected more"
                )
            return pool
    wanted = (
        "golds or answers" if settings.execute_tools else "golds (or execute_tools, for those with answers)"
    )
    raise InputError(f"question_set: no question to search; expected at least one with {wanted}")


def taken(pool: Sequence[Question], buffer: Sequence[BufferEntry]) -> list[Question]:
    """The questions that are searched, the hardest first."""
    by_id = {question.id: question for question in pool}
    ranked = sorted(buffer, key=lambda entry: entry.rank)
    return [by_id[entry.question_id] for entry in ranked if entry.taken]


def _is_judged(question: Question, settings: MCTSSettings) -> bool:
    return bool(question.golds) or (settings.execute_tools and bool(question.answers))


def _check_unique(pool: Sequence[Question], name: str) -> None:
    seen: set[str] = set()
    for question in pool:
        if question.id in seen:
            raise InputError(
                f"question_set: {name}: question {question.id!r} occurs twice, expected unique ids"
            )
        seen.add(question.id)
