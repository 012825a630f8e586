"""The reward of a turn of tool calls, by the kind of error (TL-Training, Section 3.3).

    R = -2      the turn cannot be parsed, or has no call
        -2      a tool that was not offered
        -1.5    the wrong tool
        R_p     wrong parameters: -0.8 if any is hallucinated, -0.5 if any is redundant,
                -0.5 if any is missing, summed
        -0.25   right parameters, wrong content
        1       correct

The first row that holds counts. A hallucinated parameter is neither in the tool's schema nor in the
gold; a redundant one is in the schema but not in the gold; a missing one is in the gold but not in the
call. The worst sum of R_p is -1.8, above -2: nothing is ever clamped.
"""

import math
from collections.abc import Sequence

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema, find_tool, tool_parameters
from components.ppo.golds import Gold, read_alternatives, read_offered
from components.scoring.assignment import best_pairs
from components.scoring.verdicts import CallVerdict, judge_call

UNPARSED = -2.0
UNKNOWN_TOOL = -2.0
WRONG_TOOL = -1.5
UNPAIRED = -1.5  # a call without a gold, or a gold without a call
HALLUCINATED_PARAMETER = -0.8
REDUNDANT_PARAMETER = -0.5
MISSING_PARAMETER = -0.5
WRONG_CONTENT = -0.25
CORRECT = 1.0


def tool_call_reward(
    output: str, gold: Gold, tools: Sequence[ToolSchema], call_format: str, *, sample: str = ""
) -> float:
    """The reward of one assistant turn, in [-2, 1]; 1 only when it makes exactly the gold's calls.

    Calls are compared parsed and typed (`judge_call`), so neither quoting nor the order of arguments or
    of parallel calls matters, but 9 is not "9". A turn in which any call fails to parse is -2 as a
    whole. Several calls score the mean over their best assignment to the gold's, where each extra and
    each absent call counts -1.5, whatever it calls. Of alternatives the best one counts.

    output: the turn's whole text, prefilled part included.
    gold: {"name", "arguments"}; a list of them are parallel calls; a list of lists are alternatives.
    tools: those offered, in the OpenAI form.
    call_format: a name in `CALL_FORMATS`.
    sample: the sample's id, named in errors.

    Raises:
        InputError: no tool, a schema that is not JSON schema, a gold of another form or for a tool that
            is not offered, or an unknown call format; the sample and the field are named.
    """
    try:
        form = get_call_format(call_format)
        offered = read_offered(tools)
        alternatives = read_alternatives(gold, offered)
    except InputError as error:
        raise InputError(f"{sample}: {error}" if sample else str(error)) from error
    turn = form.parse(output, offered)
    if turn.failures or not turn.calls:
        return UNPARSED
    calls = [parsed.call for parsed in turn.calls]
    return max(calls_reward(calls, golds, offered) for golds in alternatives)


def calls_reward(calls: Sequence[ToolCall], golds: Sequence[ToolCall], tools: Sequence[ToolSchema]) -> float:
    """The mean reward over the best assignment of calls to golds, in [-2, 1]; neither may be empty.

    mean = (sum over the min(n, m) pairs of R - 1.5 |n - m|) / max(n, m), for n calls and m golds.
    """
    scores = [[call_reward(call, gold, tools) for gold in golds] for call in calls]
    # Whole hundredths: the matching is exact on integers only.
    weights = [[round(100 * score) for score in line] for line in scores]
    paired = [scores[i][j] for i, j in best_pairs(weights)]
    unpaired = abs(len(calls) - len(golds))
    return math.fsum([*paired, UNPAIRED * unpaired]) / max(len(calls), len(golds))


def call_reward(call: ToolCall, gold: ToolCall, tools: Sequence[ToolSchema]) -> float:
    """R of one parsed call against one gold call, in [-2, 1]."""
    tool = find_tool(tools, call.name)
    if tool is None:
        return UNKNOWN_TOOL
    match judge_call(call, gold):
        case CallVerdict.CORRECT:
            return CORRECT
        case CallVerdict.WRONG_TOOL:
            return WRONG_TOOL
        case CallVerdict.WRONG_CONTENT:
            return WRONG_CONTENT
        case CallVerdict.MISSING_PARAMETER | CallVerdict.REDUNDANT_PARAMETER:
            return _parameters_reward(call, gold, tool)


def _parameters_reward(call: ToolCall, gold: ToolCall, tool: ToolSchema) -> float:
    """R_p: each kind of fault once, however many parameters have it."""
    unwanted = call.arguments.keys() - gold.arguments.keys()
    known = tool_parameters(tool).keys()
    faults = (
        (HALLUCINATED_PARAMETER, unwanted - known),
        (REDUNDANT_PARAMETER, unwanted & known),
        (MISSING_PARAMETER, gold.arguments.keys() - call.arguments.keys()),
    )
    return math.fsum(reward for reward, names in faults if names)
