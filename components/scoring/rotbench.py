"""RoTBench's own rules for TS, PI and CF (Ye et al. 2024), in our fixed form and as its scorer applies them.

The last two tools on offer are, under whatever name the noise gave them, the one that asks the user and
the one that finishes: what is said in them is not compared. A gold value "None" stands for anything.
"""

from collections.abc import Sequence
from dataclasses import replace

from components.contracts.records import ToolCall
from components.contracts.tool_schemas import ToolSchema, tool_name
from components.scoring.calls import CORRECT, UNPARSED, CallRules, Calls, TurnScore

LEVELS = ("clean", "slight", "medium", "heavy", "union")
_PREFIX = "rotbench_"
_FINISH = "finish"


def is_rotbench(kind: str) -> bool:
    """Whether questions of this kind are RoTBench's (`rotbench_clean` ...)."""
    return kind.startswith(_PREFIX)


def kind_of_level(level: str) -> str:
    """The kind of the questions of one noise level."""
    return _PREFIX + level


def rules_for(kind: str, tools: Sequence[ToolSchema]) -> CallRules:
    """What is not compared for questions of this kind: nothing, except for RoTBench's."""
    if not is_rotbench(kind):
        return CallRules()
    return CallRules(free_tools=frozenset(map(tool_name, tools[-2:])), free_value="None")


def official_score(
    score: TurnScore, calls: Calls, alternatives: Sequence[Calls], tools: Sequence[ToolSchema]
) -> TurnScore:
    """`score` with TS, PI and CF as the official scorer gives them, slips included.

    A call without arguments fails all three, so that gold against gold has 92.38 on the clean level. The
    first call alone is read. "finish" stands for the finishing tool under any name. Values whose gold is
    "None" are dropped from the call too, and stay dropped when later alternatives are compared.
    """
    golds = [gold for golds in alternatives for gold in golds[:1]]
    flags = _official_flags(calls[0] if calls and score.category != UNPARSED else None, golds, tools)
    category = score.category
    if flags[2]:
        category = CORRECT
    elif category == CORRECT:
        category = UNPARSED
    return replace(
        score,
        tool_selected=flags[0],
        parameters_identified=flags[1],
        content_filled=flags[2],
        category=category,
    )


def _official_flags(
    call: ToolCall | None, golds: Sequence[ToolCall], tools: Sequence[ToolSchema]
) -> tuple[bool, bool, bool]:
    if call is None or not call.arguments:
        return False, False, False
    special = tuple(map(tool_name, tools[-2:]))
    name, left = call.name, dict(call.arguments)
    selected = identified = filled = False
    for gold in golds:
        if special and gold.name == special[-1] and name == _FINISH:
            name = gold.name
        if gold.name != name:
            continue
        selected = True
        identified = identified or gold.arguments.keys() == call.arguments.keys()
        if filled or gold.arguments.keys() != left.keys():
            continue
        wanted = {key: value for key, value in gold.arguments.items() if value != "None"}
        left = {key: left[key] for key in wanted}
        filled = wanted == left or gold.name in special
    return selected, identified, filled
