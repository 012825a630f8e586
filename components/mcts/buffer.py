"""Which questions of the pool are searched: the hardest share, by the perplexity of their gold responses.

Ranked anew for every policy: what an iteration has learned makes room for what is hardest now.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from components.contracts.search_records import BufferEntry
from components.mcts.settings import MCTSSettings
from components.mcts.states import Asked
from components.scoring.difficulty import demand_of_question, divide


class Scored(NamedTuple):
    """A question of the pool. perplexity: None where it could not be measured. calls: its gold calls a tool."""

    question_id: str
    perplexity: float | None
    calls: bool


def hardest(scored: Sequence[Scored], alpha: float, stratified: bool = False) -> list[Scored]:
    """The share `alpha` of highest perplexity, rounded up, the hardest first; of equal ones by id.

    stratified: the share is taken of the rows with and without calls each. What was not measured is never taken and
    counts in no share.
    """
    measured = [one for one in scored if one.perplexity is not None]
    strata = [[one for one in measured if one.calls is calls] for calls in (True, False)]
    chosen = [
        one
        for rows in (strata if stratified else [measured])
        # Without rounding, 0.1 of 30 would be a little more than 3.
        for one in sorted(rows, key=_hardest_first)[: math.ceil(round(alpha * len(rows), 9))]
    ]
    return sorted(chosen, key=_hardest_first)


def rank_pool(
    asked: Sequence[Asked], perplexities: Sequence[float | None], settings: MCTSSettings
) -> list[BufferEntry]:
    """The buffer, the hardest question first; `taken` are the hardest share, at most `max_trees` of it (0: all).

    asked: the questions with what each is offered. perplexities: of their gold responses, None where not measured:
    those come last.
    """
    scored = [
        Scored(one.question.id, perplexity, any(one.question.golds))
        for one, perplexity in zip(asked, perplexities, strict=True)
    ]
    chosen = hardest(scored, settings.alpha, settings.stratify)
    taken = {one.question_id for one in chosen[: settings.max_trees or None]}
    with_golds = [one for one in asked if one.question.golds]
    thirds = divide([demand_of_question(one.question, one.tools) for one in with_golds])
    difficulty = {one.question.id: third for one, third in zip(with_golds, thirds, strict=True)}
    return [
        BufferEntry(
            question_id=one.question_id,
            perplexity=one.perplexity,
            calls=one.calls,
            rank=rank,
            taken=one.question_id in taken,
            difficulty=difficulty.get(one.question_id, ""),
        )
        for rank, one in enumerate(sorted(scored, key=_hardest_first))
    ]


def _hardest_first(one: Scored) -> tuple[float, str]:
    return math.inf if one.perplexity is None else -one.perplexity, one.question_id
