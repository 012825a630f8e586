"""How far the calls of one turn agree with the accepted ones: TS, PI and CF (TL-Training, Section 4.3).

TS, tool selection: the right tools are called. PI, parameter identification: TS, and each call has exactly
the gold's parameter names. CF, content filling: PI, and all values are equal, typed (1 is 1.0, but not "1";
only a gold that is no text, where its own schema wants text, may also be written as that text).
A turn is judged as a whole: parallel calls are order-free, and an extra or absent call fails all three. Of
alternative golds the one that agrees best counts. Gold against itself is right in all three.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from components.contracts.records import ToolCall
from components.contracts.tool_calls.shown import show_call
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema, declared_types, find_tool, tool_parameters
from components.scoring.assignment import best_pairs
from components.scoring.verdicts import (
    ERROR_CATEGORY,
    VERDICT_CATEGORY,
    CallVerdict,
    judge_call,
    same_value,
)

Calls = Sequence[ToolCall]
Pair = tuple[ToolCall | None, ToolCall | None]  # (made, gold); None where one has no counterpart

UNPARSED = ERROR_CATEGORY[ToolError.PARSE_FAILURE]
NO_CALL = "no call"
UNKNOWN_TOOL = ERROR_CATEGORY[ToolError.TOOL_HALLUCINATION]
WRONG_TOOL = VERDICT_CATEGORY[CallVerdict.WRONG_TOOL]
ABSENT_CALL = "absent call"
EXTRA_CALL = "extra call"
UNKNOWN_PARAMETER = ERROR_CATEGORY[ToolError.PARAMETER_HALLUCINATION]
MISSING_PARAMETER = VERDICT_CATEGORY[CallVerdict.MISSING_PARAMETER]
REDUNDANT_PARAMETER = VERDICT_CATEGORY[CallVerdict.REDUNDANT_PARAMETER]
WRONG_CONTENT = VERDICT_CATEGORY[CallVerdict.WRONG_CONTENT]
CORRECT = VERDICT_CATEGORY[CallVerdict.CORRECT]

# The names of `ERROR_CATEGORY` and `VERDICT_CATEGORY`, and what only a whole turn can have; the worst first.
CATEGORIES = (
    UNPARSED,
    NO_CALL,
    UNKNOWN_TOOL,
    WRONG_TOOL,
    ABSENT_CALL,
    EXTRA_CALL,
    UNKNOWN_PARAMETER,
    MISSING_PARAMETER,
    REDUNDANT_PARAMETER,
    WRONG_CONTENT,
    CORRECT,
)

_NOTHING, _TOOL, _PARAMETERS, _CONTENT = range(4)


@dataclass(frozen=True)
class CallRules:
    """What a benchmark does not compare: the values of some tools' calls, and values whose gold is one text."""

    free_tools: frozenset[str] = frozenset()
    free_value: str | None = None


@dataclass(frozen=True)
class TurnScore:
    """One turn against its golds. `category` is one of CATEGORIES: the worst of its pairs.

    pairs: the best assignment of the turn's calls to the gold calls of the best alternative; empty for a
    turn that can't be parsed.
    """

    tool_selected: bool
    parameters_identified: bool
    content_filled: bool
    category: str
    pairs: tuple[Pair, ...] = ()


def score_turn(
    calls: Calls,
    alternatives: Sequence[Calls],
    tools: Sequence[ToolSchema],
    *,
    unparsed: bool = False,
    rules: CallRules = CallRules(),
) -> TurnScore:
    """Score the calls of one turn.

    calls: the parsed calls, in any order. alternatives: the accepted turns, at least one; one without calls
    accepts a turn that calls nothing. tools: those offered, which tell a redundant parameter from a
    hallucinated one. unparsed: the turn also holds a call that can't be parsed; it is then wrong as a whole.

    Raises:
        ValueError: there is no alternative.
    """
    if not alternatives:
        raise ValueError("expected at least one accepted turn, got none")
    if unparsed:
        return TurnScore(False, False, False, UNPARSED)
    if not calls:
        accepted = any(not golds for golds in alternatives)
        pairs = () if accepted else tuple((None, gold) for gold in alternatives[0])
        return TurnScore(accepted, accepted, accepted, CORRECT if accepted else NO_CALL, pairs)
    return max((_against(calls, golds, tools, rules) for golds in alternatives), key=lambda one: one[0])[1]


def category_of(call: ToolCall, gold: ToolCall, tools: Sequence[ToolSchema]) -> str:
    """The worst thing wrong with a call beside its gold call: one of CATEGORIES."""
    tool = find_tool(tools, call.name)
    if call.name != gold.name:
        return UNKNOWN_TOOL if tool is None else WRONG_TOOL
    if unknown_parameters(call, gold, tools):
        return UNKNOWN_PARAMETER
    return VERDICT_CATEGORY[judge_call(call, gold)]


def unknown_parameters(call: ToolCall, gold: ToolCall, tools: Sequence[ToolSchema]) -> set[str]:
    """Parameters of the call that neither the gold has nor the tool's schema knows."""
    tool = find_tool(tools, call.name)
    known = tool_parameters(tool).keys() if tool else set()
    return call.arguments.keys() - gold.arguments.keys() - known


def wrong_values(
    call: ToolCall, gold: ToolCall, tools: Sequence[ToolSchema], rules: CallRules = CallRules()
) -> list[tuple[JsonValue, JsonValue]]:
    """The (value, gold) pairs that differ, of a call with the gold's tool and parameters."""
    if gold.name in rules.free_tools:
        return []
    tool = find_tool(tools, gold.name)
    schemas = tool_parameters(tool) if tool else {}
    return [
        (call.arguments[name], value)
        for name, value in gold.arguments.items()
        if (rules.free_value is None or value != rules.free_value)
        and not _agrees(call.arguments[name], value, schemas.get(name, {}))
    ]


def show_calls(calls: Calls) -> str:
    """Calls as a person reads them: `name(parameter="value") other()`; "no call" for none."""
    return " ".join(map(show_call, calls)) or NO_CALL


def _against(
    calls: Calls, golds: Calls, tools: Sequence[ToolSchema], rules: CallRules
) -> tuple[tuple[int, float], TurnScore]:
    """The score against one alternative, and what it is ranked by among the alternatives."""
    levels = [[_level(call, gold, tools, rules) for gold in golds] for call in calls]
    reached = next(level for level in (_CONTENT, _PARAMETERS, _TOOL, _NOTHING) if _all_reach(levels, level))
    if len(calls) != len(golds):
        reached = _NOTHING
    weights = [
        [1000 * levels[i][j] + min(999, _equal_values(call, gold)) for j, gold in enumerate(golds)]
        for i, call in enumerate(calls)
    ]
    found = best_pairs(weights) if golds else []
    pairs: list[Pair] = [(calls[i], golds[j]) for i, j in found]
    categories = [
        CORRECT if levels[i][j] == _CONTENT else category_of(calls[i], golds[j], tools) for i, j in found
    ]
    rows, columns = {i for i, _ in found}, {j for _, j in found}
    extra = [call for i, call in enumerate(calls) if i not in rows]
    absent = [gold for j, gold in enumerate(golds) if j not in columns]
    categories += [EXTRA_CALL if find_tool(tools, call.name) else UNKNOWN_TOOL for call in extra]
    categories += [ABSENT_CALL] * len(absent)
    pairs += [(call, None) for call in extra] + [(None, gold) for gold in absent]
    score = TurnScore(
        reached >= _TOOL,
        reached >= _PARAMETERS,
        reached >= _CONTENT,
        CORRECT if reached == _CONTENT else min(categories, key=CATEGORIES.index),
        tuple(pairs),
    )
    return (reached, sum(weights[i][j] for i, j in found) / len(pairs)), score


def _all_reach(levels: Sequence[Sequence[int]], level: int) -> bool:
    """Whether every call has a gold of its own with which it agrees that far."""
    if level == _NOTHING:
        return True
    fits = [[int(one >= level) for one in line] for line in levels]
    if not fits or not fits[0]:
        return False
    return sum(fits[i][j] for i, j in best_pairs(fits)) == len(fits)


def _level(call: ToolCall, gold: ToolCall, tools: Sequence[ToolSchema], rules: CallRules) -> int:
    if call.name != gold.name:
        return _NOTHING
    if call.arguments.keys() != gold.arguments.keys():
        return _TOOL
    return _PARAMETERS if wrong_values(call, gold, tools, rules) else _CONTENT


def _agrees(value: JsonValue, gold: JsonValue, schema: Mapping[str, Any]) -> bool:
    if same_value(value, gold):
        return True
    misfit = not isinstance(gold, str) and declared_types(schema) == ("string",)
    return misfit and value == json.dumps(gold, ensure_ascii=False)


def _equal_values(call: ToolCall, gold: ToolCall) -> int:
    missing = object()
    return sum(call.arguments.get(name, missing) == value for name, value in gold.arguments.items())
