"""The ground truth of BFCL's multi-turn questions as what a policy would have called. Not a test."""

import json

from components.contracts.records import Question, ToolCall
from components.contracts.tool_schemas import find_tool, tool_parameters
from components.scoring.bfcl.multi_turn import ground_truth_call
from components.scoring.bfcl.multi_turn_reference import BfclMultiTurn

Steps = list[list[list[ToolCall]]]  # user turn -> step -> calls


def gold_turns(question: Question, reference: BfclMultiTurn) -> Steps:
    """One step a turn with all its calls, unnamed arguments named by the functions' descriptions."""
    tools = [*json.loads(question.offered), *json.loads(reference.held_out)]
    turns: Steps = []
    for texts in reference.ground_truth:
        step = []
        for text in texts:
            call, unnamed = ground_truth_call(text)
            tool = find_tool(tools, call.name)
            assert tool is not None, text
            named = dict(zip(tool_parameters(tool), unnamed, strict=False))
            step.append(ToolCall(name=call.name, arguments={**named, **call.arguments}))
        turns.append([step] if step else [])
    return turns
