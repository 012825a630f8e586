"""Tools that come with a JSON schema instead of a Python signature: checked by the contracts themselves."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import JsonValue

from components.contracts.records import ToolCall
from components.contracts.tool_schemas import ToolSchema, explain_call
from tools_service.failures import ToolFailure
from tools_service.registry import Tool, ToolFunction


def make_schema_tool(
    name: str, description: str, parameters: dict[str, JsonValue], function: ToolFunction
) -> Tool:
    """A tool of a coroutine function that takes what the schema says, by name."""
    schema: ToolSchema = {"type": "function", "function": {"name": name, "parameters": parameters}}
    return Tool(
        name=name,
        description=description,
        function=function,
        parameters=parameters,
        check=partial(check_by_schemas, name, (schema,)),
        quick=False,
        is_coroutine=True,
    )


def check_by_schemas(
    name: str, variants: Sequence[ToolSchema], arguments: Mapping[str, JsonValue]
) -> dict[str, Any]:
    """The arguments, which fit at least one of the schemas of the tool `name`.

    Raises:
        ToolFailure: what the first schema says against them.
    """
    call = ToolCall(name=name, arguments=dict(arguments))
    problems = [explain_call(call, [variant]) for variant in variants]
    first = problems[0]
    if first is not None and all(problems):
        raise ToolFailure(*first)
    return call.arguments
