"""The score of a trace that is judged by its first turn's calls: against golds, or by BFCL's rules."""

from dataclasses import replace

from components.contracts.records import Question, ToolCall, Trace
from components.contracts.tool_schemas import parse_tools
from components.scoring.bfcl.hidden_calls import hides_call
from components.scoring.bfcl.judge import judge_bfcl
from components.scoring.bfcl.reference import is_bfcl, wants_no_call
from components.scoring.calls import CATEGORIES, CORRECT, EXTRA_CALL, WRONG_CONTENT, TurnScore, score_turn
from components.scoring.rotbench import is_rotbench, official_score, rules_for

MULTI_TURN = "bfcl:multi_turn"  # what the names of the suites begin with that are played over several turns


def is_single_turn(question: Question) -> bool:
    """Whether a question is judged by the calls of one turn, in which nothing is executed."""
    if is_bfcl(question.suite):
        return not question.suite.startswith(MULTI_TURN)
    return bool(question.golds)


def first_turn(trace: Trace) -> tuple[tuple[ToolCall, ...], bool]:
    """The parsed calls of the first assistant turn, without ids, and whether one of it can't be parsed.

    Where BFCL wants no call, a turn without one that is empty or holds a call in another form can't be parsed either.
    """
    first = trace.turns[0].message if trace.turns else -1
    made = [executed.call for executed in trace.calls if executed.message == first]
    calls = tuple(call.model_copy(update={"id": ""}) for call in made if call is not None)
    unparsed = len(calls) < len(made)
    if not made and wants_no_call(trace.question.suite):
        said = trace.messages[first].content if trace.turns else ""
        unparsed = hides_call(said, parse_tools(trace.tools))
    return calls, unparsed


def score_trace(trace: Trace, *, official: bool = False) -> TurnScore:
    """TS, PI and CF of a trace's first turn; the golds are its question's.

    BFCL's questions are scored by that benchmark's rules (`judge_bfcl`), also those without golds: CF is its
    verdict, TS and PI are what the fault's category leaves. official: RoTBench's questions are scored as its own
    scorer does (see `official_score`).

    Raises:
        ValueError: the question has no gold and is not BFCL's.
        InputError: a BFCL question without the reference that its checker needs.
    """
    question, tools = trace.question, parse_tools(trace.tools)
    calls, unparsed = first_turn(trace)
    if is_bfcl(question.suite):
        return _score_by_bfcl(trace, calls, unparsed=unparsed)
    rules = rules_for(question.kind, tools)
    score = score_turn(calls, question.golds, tools, unparsed=unparsed, rules=rules)
    if official and is_rotbench(question.kind):
        return official_score(score, calls, question.golds, tools)
    return score


def _score_by_bfcl(trace: Trace, calls: tuple[ToolCall, ...], *, unparsed: bool) -> TurnScore:
    question = trace.question
    verdict = judge_bfcl(question, calls, unparsed=unparsed)
    score = TurnScore(
        tool_selected=CATEGORIES.index(verdict.category) > CATEGORIES.index(EXTRA_CALL),
        parameters_identified=verdict.category in (WRONG_CONTENT, CORRECT),
        content_filled=verdict.correct,
        category=verdict.category,
    )
    if not question.golds:
        return score
    compared = score_turn(calls, question.golds, parse_tools(trace.tools), unparsed=unparsed)
    return replace(score, pairs=compared.pairs)
