"""The score of a trace whose question has golds: its first turn's calls against them."""

from components.contracts.records import ToolCall, Trace
from components.contracts.tool_schemas import parse_tools
from components.scoring.calls import TurnScore, score_turn
from components.scoring.rotbench import is_rotbench, official_score, rules_for


def first_turn(trace: Trace) -> tuple[tuple[ToolCall, ...], bool]:
    """The parsed calls of the first assistant turn, without ids, and whether one of it can't be parsed."""
    first = trace.turns[0].message if trace.turns else -1
    made = [executed.call for executed in trace.calls if executed.message == first]
    return tuple(call.model_copy(update={"id": ""}) for call in made if call is not None), any(
        call is None for call in made
    )


def score_trace(trace: Trace, *, official: bool = False) -> TurnScore:
    """TS, PI and CF of a trace's first turn; the golds are its question's.

    official: RoTBench's questions are scored as its own scorer does (see `official_score`).

    Raises:
        ValueError: the question has no gold.
    """
    question, tools = trace.question, parse_tools(trace.tools)
    calls, unparsed = first_turn(trace)
    rules = rules_for(question.kind, tools)
    score = score_turn(calls, question.golds, tools, unparsed=unparsed, rules=rules)
    if official and is_rotbench(question.kind):
        return official_score(score, calls, question.golds, tools)
    return score
