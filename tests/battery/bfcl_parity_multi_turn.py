"""The multi-turn part of `bfcl_parity`: all conversations, replayed and changed, through both checkers. Not a test."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.contracts.progress import Progress
from components.scoring.bfcl.api_service import StatefulApis
from components.scoring.bfcl.multi_turn import (
    CORRECT,
    EMPTY_TURN,
    FORCE_TERMINATED,
    RESPONSE_MISMATCH,
    STATE_MISMATCH,
    judge_multi_turn,
)
from tests.battery.bfcl_environment import Outcome, ask_official
from tests.benchmarks.peers import PeerUnavailableError
from tests.bfcl_multi_turn_cases import Conversation, Play, plays_of, read_conversations
from tests.bfcl_verdicts import MULTI_TURN_RECORDED, write_verdicts

OFFICIAL_NAMES = {
    CORRECT: "",
    FORCE_TERMINATED: "multi_turn:force_terminated",
    EMPTY_TURN: "multi_turn:empty_turn_model_response",
    STATE_MISMATCH: "multi_turn:instance_state_mismatch",
    RESPONSE_MISMATCH: "multi_turn:execution_response_mismatch",
}


def multi_turn(python: Path, data: Path, seeds: int, record: Path | None) -> Outcome:
    """All multi-turn items and kinds of plays; the reasons (`error_type`) are compared as well as the verdicts.

    record: where the single-turn verdicts are written; those of this part go beside them.
    """
    conversations = read_conversations(data)
    outcome = Outcome(items=len(conversations))
    kinds: Counter[str] = Counter()
    right: Counter[str] = Counter()
    crashes = 0
    progress = Progress("bfcl_parity_multi_turn", seeds)
    with StatefulApis(data.parent) as apis:
        for seed in range(seeds):
            plays = [(one, play) for one in conversations for play in plays_of(one, seed)]
            found = ask_official(python, ["multi_turn", str(data)], map(_official_case, plays))
            if len(found) != len(plays):
                raise PeerUnavailableError(f"{len(found)} official verdicts on {len(plays)} plays")
            for (one, play), (valid, error_type) in zip(plays, found, strict=True):
                ours = judge_multi_turn(one.reference, play.turns, apis, key=one.id)
                kinds[play.kind] += 1
                right[play.kind] += bool(valid)
                crashes += valid is None
                agrees = ours.correct == bool(valid) and (
                    valid is None or OFFICIAL_NAMES[ours.category] == error_type
                )
                outcome.agreed += agrees
                if not agrees:
                    shown = {"id": one.id, "kind": play.kind, "seed": seed, "official": [valid, error_type]}
                    outcome.disagreements.append(shown | {"ours": [ours.category, ours.turn, ours.reason]})
            if record and not seed:
                write_verdicts(MULTI_TURN_RECORDED, _verdicts(plays, found))
            progress.advance()
    outcome.verdicts = sum(kinds.values())
    outcome.more = {
        "kinds": {kind: {"cases": kinds[kind], "right": right[kind]} for kind in kinds},
        "official_exceptions": crashes,
    }
    return outcome


def _verdicts(
    plays: Iterable[tuple[Conversation, Play]], found: Iterable[Any]
) -> Iterable[tuple[str, str, bool]]:
    for (one, play), (valid, _) in zip(plays, found, strict=True):
        yield one.id, play.kind, bool(valid)


def _official_case(case: tuple[Conversation, Play]) -> dict[str, Any]:
    """A play as the official side reads it: calls as Python text; None for a step that can't be read."""
    conversation, play = case
    turns = [
        [
            [
                f"{call.name}({', '.join(f'{name}={value!r}' for name, value in call.arguments.items())})"
                for call in step
            ]
            or None
            for step in turn
        ]
        for turn in play.turns
    ]
    return {"id": conversation.id, "group": conversation.reference.group, "kind": play.kind, "turns": turns}
