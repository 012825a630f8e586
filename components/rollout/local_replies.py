"""Replies that the loop itself gives to calls which never reach the tools service.

Each is an error with its taxonomy code and a text the model can read and act on; none is a pass.
"""

from collections.abc import Sequence

from components.contracts.records import ToolCall, ToolReply
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import (
    ToolSchema,
    declared_types,
    explain_call,
    find_tool,
    tool_name,
    tool_parameters,
)


def unreadable(reason: str) -> ToolReply:
    """The text meant as a call could not be parsed."""
    return ToolReply(content=f"Error: the call could not be read: {reason}", error=ToolError.PARSE_FAILURE)


def not_allowed_now() -> ToolReply:
    """A well-formed call in a turn that had to answer: it is not executed."""
    return ToolReply(
        content="Error: no more calls are allowed; give the answer.", error=ToolError.TOOL_CALL_FAILURE
    )


def refused(call: ToolCall, tools: Sequence[ToolSchema]) -> ToolReply | None:
    """An error that says what would fit when the call does not fit the offered tools, else None."""
    problem = explain_call(call, tools)
    if problem is None:
        return None
    error, line = problem
    tool = find_tool(tools, call.name)
    if tool is None:
        known = "Tools: " + (", ".join(map(tool_name, tools)) or "none")
    else:
        shown = (f"{name} ({_types(schema)})" for name, schema in tool_parameters(tool).items())
        known = "Parameters: " + (", ".join(shown) or "none")
    return ToolReply(content=f"Error: {line}. {known}.", error=error, call_id=call.id)


def _types(schema: dict[str, object]) -> str:
    return " or ".join(declared_types(schema)) or "any"
