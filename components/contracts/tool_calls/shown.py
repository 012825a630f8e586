"""A call as a person reads it, whatever format it was written in."""

import json

from components.contracts.records import ToolCall


def show_call(call: ToolCall) -> str:
    """`name(parameter="value", other=2)`."""
    arguments = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call.arguments.items())
    return f"{call.name}({', '.join(arguments)})"
