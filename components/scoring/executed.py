"""DE, CE and VA of conversations in which tools were executed (TL-Training, Section 4.3; ToolEyes).

DE, documentation understanding errors: hallucinated tools, hallucinated parameters and missing parameters /
calls made. CE, tool call errors: all other failed calls / calls made. VA, valid answers: questions that end
in an answer which is no refusal, within nine turns / questions. The first two are better when lower.
"""

from components.contracts.records import Trace
from components.contracts.tool_errors import ToolError
from components.scoring.refusals import is_refusal

DOCUMENTATION_ERRORS = frozenset(
    {ToolError.TOOL_HALLUCINATION, ToolError.PARAMETER_HALLUCINATION, ToolError.MISSING_PARAMETER}
)
MOST_TURNS = 9
# ToolEyes' tool lists bring a tool by which a conversation ends; its argument is the answer.
_FINISH, _ANSWER = "finish", "answer"


def given_answer(trace: Trace) -> str | None:
    """What the conversation ends in: its final answer, else what its last call of `finish` says."""
    if trace.outcome.answer is not None:
        return trace.outcome.answer
    for executed in reversed(trace.calls):
        if executed.call is not None and executed.call.name == _FINISH and executed.reply.error is None:
            said = executed.call.arguments.get(_ANSWER)
            return said if isinstance(said, str) else None
    return None


def is_valid_answer(trace: Trace) -> bool:
    """Whether the trace ends, within nine turns, in an answer that is no refusal."""
    answer = given_answer(trace)
    return answer is not None and len(trace.turns) <= MOST_TURNS and not is_refusal(answer)
