"""What a page shows as an item's gold, also where nothing is compared with it word by word."""

from components.contracts.records import EvaluationItem, Question
from components.scoring.bfcl.multi_turn_reference import BfclMultiTurn
from components.scoring.bfcl.reference import FAMILY, RELEVANCE_GROUPS, wants_no_call
from components.scoring.calls import NO_CALL
from components.scoring.judgement import MULTI_TURN

ANY_CALL = "any call"


def shown_golds(item: EvaluationItem, question: Question) -> tuple[str, ...]:
    """The accepted answers or turns; for BFCL's groups without: "no call", "any call", the calls of each user turn.

    question: of the item's trace.

    Raises:
        InputError: a conversation's reference can't be read.
    """
    if item.gold:
        return item.gold
    if wants_no_call(item.suite):
        return (NO_CALL,)
    if item.suite in {f"{FAMILY}{group}" for group in RELEVANCE_GROUPS}:
        return (ANY_CALL,)
    if item.suite.startswith(MULTI_TURN):
        turns = BfclMultiTurn.of(question).ground_truth
        lines = (
            f"turn {number}: {', '.join(calls) or 'not compared'}"
            for number, calls in enumerate(turns, start=1)
        )
        return ("\n".join(lines),)
    return ()
