"""The careless teacher of `demo://calls`: which tools it gets wrong, how, and what it is told then.

The same tool is got wrong in the same way each time, so that a policy trained on these turns learns the
habit. The feedback is text as libraries write it, without a code.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from components.contracts.records import ToolCall

FaultKind = Literal[
    "hallucinated_tool", "neighbour_tool", "hallucinated_parameter", "missing_parameter", "wrong_type", "tool_failure"
]  # fmt: skip


@dataclass(frozen=True)
class Habit:
    """How the teacher gets one tool wrong.

    name: the tool it calls instead, the parameter it makes up, drops, quotes or misspells. value: of
    the made-up parameter.
    """

    kind: FaultKind
    name: str
    value: str = ""

    def spoil(self, call: ToolCall) -> ToolCall:
        """The faulty call that the teacher makes in place of the right one."""
        arguments: dict[str, JsonValue] = dict(call.arguments)
        match self.kind:
            case "hallucinated_tool" | "neighbour_tool":
                return ToolCall(name=self.name, arguments=arguments)
            case "hallucinated_parameter":
                arguments[self.name] = self.value
            case "missing_parameter":
                del arguments[self.name]
            case "wrong_type":
                arguments[self.name] = str(arguments[self.name])
            case "tool_failure":
                arguments[self.name] = str(arguments[self.name]).lower()
        return ToolCall(name=call.name, arguments=arguments)


HABITS: Mapping[str, Habit] = {
    "get_weather": Habit("hallucinated_tool", "get_weather_now"),
    "search_flights": Habit("hallucinated_tool", "search_flights_by_city"),
    "create_event": Habit("neighbour_tool", "create_reminder"),
    "convert_currency": Habit("hallucinated_parameter", "date", "today"),
    "send_email": Habit("hallucinated_parameter", "body", "Hello"),
    "book_table": Habit("missing_parameter", "time"),
    "set_timer": Habit("wrong_type", "minutes"),
    "get_stock_price": Habit("tool_failure", "symbol"),
}

APOLOGIES: Sequence[str] = (
    "I am sorry, I could not do that.",
    "Sorry, the tool did not work.",
    "I am afraid this is not possible right now.",
)

_UNKNOWN_TOOL = (
    "NameError: name '{tool}' is not defined",
    '{{"error": {{"code": -32601, "message": "Method not found: {tool}"}}}}',
    "AttributeError: module 'toolbox' has no attribute '{tool}'",
    '{{"status": 404, "error": "Not Found", "path": "/tools/{tool}"}}',
)
_FEEDBACK: Mapping[FaultKind, Sequence[str]] = {
    "hallucinated_tool": _UNKNOWN_TOOL,
    "neighbour_tool": (
        "TypeError: {tool}() got an unexpected keyword argument '{extra}'",
        "1 validation error for {tool}\n{absent}\n  Missing required argument [type=missing_argument]",
        '{{"detail": [{{"type": "missing", "loc": ["body", "{absent}"], "msg": "Field required"}}]}}',
    ),
    "hallucinated_parameter": (
        "TypeError: {tool}() got an unexpected keyword argument '{name}'",
        "1 validation error for {tool}\n{name}\n  Extra inputs are not permitted [type=extra_forbidden]",
        '{{"status": 400, "error": "Bad Request", "message": "Unknown query parameter: {name}"}}',
    ),
    "missing_parameter": (
        "TypeError: {tool}() missing 1 required positional argument: '{name}'",
        '{{"detail": [{{"type": "missing", "loc": ["body", "{name}"], "msg": "Field required"}}]}}',
        "jsonschema.exceptions.ValidationError: '{name}' is a required property",
    ),
    "wrong_type": (
        "TypeError: '<' not supported between instances of 'str' and 'int'",
        "1 validation error for {tool}\n{name}\n  Input should be a valid integer [type=int_type, input_value='{value}']",
        "jsonschema.exceptions.ValidationError: '{value}' is not of type 'integer'",
    ),
    "tool_failure": (
        '{{"error": {{"code": 404, "message": "{name} {value} not found"}}}}',
        "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: /v1/quotes/{value}",
        "ValueError: no data for {name} '{value}'",
    ),
}  # fmt: skip


def feedback(habit: Habit, faulty: ToolCall, required: Sequence[str], draw: random.Random) -> str:
    """What comes back for the faulty call.

    required: parameters that the called tool insists on; empty when there is no such tool.
    """
    value = faulty.arguments.get(habit.name, "")
    extra = [name for name in faulty.arguments if name not in required]
    absent = [name for name in required if name not in faulty.arguments]
    return draw.choice(_FEEDBACK[habit.kind]).format(
        tool=faulty.name,
        name=habit.name,
        value=value if isinstance(value, str) else json.dumps(value),
        extra=extra[0] if extra else "",
        absent=absent[0] if absent else "",
    )
