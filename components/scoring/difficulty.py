"""How hard a request with tools is, and the equal thirds of a set of them (iTool, Section 4.2).

The paper names three criteria and no way to combine them: the number of candidate tools, the string length of the
tool list, and the calls that the response needs. Here each gives a rank, and the ranks are averaged.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from components.contracts.records import Difficulty, LabeledTrace, Question
from components.contracts.tool_schemas import ToolSchema, parse_tools

THIRDS: tuple[Difficulty, ...] = ("easy", "medium", "hard")


class Demand(NamedTuple):
    """What a request asks of a policy: tools to choose from, characters of their list, calls to be made."""

    tools: int = 0
    characters: int = 0
    calls: int = 0


def demand_of_trace(trace: LabeledTrace) -> Demand:
    """Of a trace to train on: the calls are those of its trained turns.

    Raises:
        InputError: its tools are no list of schemas.
    """
    trained = {label.message for label in trace.labels if label.trained}
    tools = parse_tools(trace.tools) if trace.tools else ()
    return _demand(tools, sum(call.message in trained for call in trace.calls))


def demand_of_question(question: Question, tools: Sequence[ToolSchema]) -> Demand:
    """Of a question with golds. tools: what it is offered. The accepted turn with the fewest calls is what it needs."""
    return _demand(tools, min(map(len, question.golds), default=0))


def divide(demands: Sequence[Demand]) -> list[Difficulty]:
    """The third of each: the mean of its three ranks decides, of equal ones the earlier is the easier.

    Equal values share a rank, the mean of their places, so that a criterion that is the same everywhere decides
    nothing. The thirds' sizes differ by one at most, and the easier ones are the larger.
    """
    ranks = [_ranks([demand[criterion] for demand in demands]) for criterion in range(3)]
    order = sorted(range(len(demands)), key=lambda number: sum(rank[number] for rank in ranks))
    thirds: list[Difficulty] = [""] * len(demands)
    for place, number in enumerate(order):
        thirds[number] = THIRDS[3 * place // len(demands)]
    return thirds


def _demand(tools: Sequence[object], calls: int) -> Demand:
    # Written anew, so that spaces in users' files decide nothing.
    text = json.dumps(list(tools), ensure_ascii=False, separators=(",", ":")) if tools else ""
    return Demand(len(tools), len(text), calls)


def _ranks(values: Sequence[int]) -> list[int]:
    """Of each value the sum of the first and the last place of its like: twice the mean place, a whole number."""
    ascending = sorted(values)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for place, value in enumerate(ascending):
        first.setdefault(value, place)
        last[value] = place
    return [first[value] + last[value] for value in values]
