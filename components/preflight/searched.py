"""Has the search anything to search? Known once the questions are read, and said before any training."""

from typing import TYPE_CHECKING

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.methods import is_on
from components.contracts.records import Question
from components.preflight.checks import Skipped
from components.storage import open_input

if TYPE_CHECKING:  # an image may hold preflight without the stages
    from components.mcts.settings import MCTSSettings

SIDES = ("search.jsonl", "train.jsonl")


def look_at_pool(question_set: str, artifact_store: str, mcts: "MCTSSettings | None", method: str) -> str:
    """Whether a question that was set aside for search, or one for training, can be judged inside a tree.

    question_set: folder of an artifact questions/1. mcts: None where this machine lacks that stage. method: the run's
    ways of training.

    Raises:
        InputError: none has gold calls, and answers don't count as nothing is executed; or the artifact can't be used.
        Skipped: the search's settings can't be read here.
    """
    if mcts is None:
        raise Skipped("this image lacks the search; it says itself when it has nothing to search")
    if not is_on("mcts", method):
        return f"method {method} does not search"
    opened = open_input(question_set, "questions/1", artifact_store)
    there = {entry.path for entry in opened.manifest.files}
    for side in SIDES:
        questions = read_records(opened.path(side), Question) if side in there else ()
        if any(one.golds or (mcts.execute_tools and one.answers) for one in questions):
            return f"{side} has questions to search"
    judged = "gold calls or answers" if mcts.execute_tools else "gold calls"
    raise InputError(
        f"questions: none to train on or to search has {judged}, which the search goes by; expected some that have, "
        + ("" if mcts.execute_tools else "mcts.execute_tools=true, which goes by answers, ")
        + "or a method without mcts"
    )
