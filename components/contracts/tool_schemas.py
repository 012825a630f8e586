"""Tool schemas in the OpenAI form, and the check of one call against the tools that were offered.

{"type": "function", "function": {"name": ..., "description": ..., "parameters": {JSON schema}}}
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError

TYPE_NAMES = {
    # JSON schema's names, then those that foreign tool lists use instead
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
    "null": "null",
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "dict": "object",
}

ToolSchema = dict[str, Any]
NAME_LIMIT = 200  # characters


def tool_name(tool: ToolSchema) -> str:
    """The tool's name, as calls must write it."""
    return str(tool["function"]["name"])


def tool_parameters(tool: ToolSchema) -> dict[str, dict[str, Any]]:
    """The tool's parameters in the schema's order: name -> JSON schema."""
    properties = (tool["function"].get("parameters") or {}).get("properties") or {}
    return {name: schema if isinstance(schema, dict) else {} for name, schema in properties.items()}


def required_parameters(tool: ToolSchema) -> tuple[str, ...]:
    """Names of the parameters that every call must give."""
    return tuple((tool["function"].get("parameters") or {}).get("required") or ())


def primary_parameter(tool: ToolSchema) -> str | None:
    """The parameter that a call with one unnamed argument means: the first required, else the first."""
    required = required_parameters(tool)
    return required[0] if required else next(iter(tool_parameters(tool)), None)


def find_tool(tools: Sequence[ToolSchema], name: str) -> ToolSchema | None:
    """The tool of exactly that name, or None."""
    return next((tool for tool in tools if tool_name(tool) == name), None)


def parse_tools(text: str) -> tuple[ToolSchema, ...]:
    """Read a JSON array of tool schemas, such as `Trace.tools`.

    Raises:
        InputError: not such an array; the tool and the field are named.
    """
    try:
        tools = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"tools: not JSON: {error}") from error
    if not isinstance(tools, list):
        raise InputError(f"tools: expected a JSON array of tool schemas, got {type(tools).__name__}")
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        name = _check_tool(tool, f"tools[{index}]")
        if name in seen:
            raise InputError(f"tools[{index}].function.name: {name!r} is there twice")
        seen.add(name)
    return tuple(tools)


def _check_tool(tool: object, where: str) -> str:
    """Check one schema and return its name."""
    if not isinstance(tool, dict) or not isinstance(tool.get("function"), dict):
        raise InputError(f'{where}: expected {{"type": "function", "function": {{...}}}}')
    function = tool["function"]
    name = function.get("name")
    if not isinstance(name, str) or not name.strip() or name != name.strip() or not name.isprintable():
        raise InputError(f"{where}.function.name: expected printable text, got {name!r}")
    if len(name) > NAME_LIMIT:
        raise InputError(f"{where}.function.name: longer than {NAME_LIMIT} characters")
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict) or not isinstance(parameters.get("properties") or {}, dict):
        raise InputError(f"{where}.function.parameters: expected a JSON schema of type object")
    required = parameters.get("required") or []
    if not isinstance(required, list) or not all(isinstance(one, str) for one in required):
        raise InputError(f"{where}.function.parameters.required: expected a list of names")
    return name


def validate_call(call: ToolCall, tools: Sequence[ToolSchema]) -> ToolError | None:
    """What is wrong with a call by the offered tools' schemas alone; None when nothing is."""
    problem = explain_call(call, tools)
    return problem[0] if problem else None


def explain_call(call: ToolCall, tools: Sequence[ToolSchema]) -> tuple[ToolError, str] | None:
    """Like `validate_call`, with one line that a model or a person can read.

    The first that holds is reported: unknown tool, unknown parameter, missing parameter, wrong type.
    """
    tool = find_tool(tools, call.name)
    if tool is None:
        return ToolError.TOOL_HALLUCINATION, f"there is no tool named {call.name!r}"
    parameters = tool_parameters(tool)
    for name in call.arguments:
        if name not in parameters:
            return ToolError.PARAMETER_HALLUCINATION, f"{call.name} has no parameter {name!r}"
    for name in required_parameters(tool):
        if name not in call.arguments:
            return ToolError.MISSING_PARAMETER, f"{call.name} needs the parameter {name!r}"
    for name, value in call.arguments.items():
        expected = _mismatch(value, parameters[name])
        if expected:
            return ToolError.WRONG_TYPE_OR_VALUE, f"{call.name}: {name} must be {expected}"
    return None


def declared_types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The JSON types a parameter's schema allows; empty when it names none that we know."""
    declared = schema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    return tuple(
        TYPE_NAMES[name.lower()] for name in names if isinstance(name, str) and name.lower() in TYPE_NAMES
    )


def _mismatch(value: object, schema: Mapping[str, Any], depth: int = 0) -> str:
    """What was expected in place of `value`, empty when it fits. `type`, `enum` and `items` are looked at."""
    types = declared_types(schema)
    if types and not any(_is_of_type(value, one) for one in types):
        return " or ".join(types)
    allowed = schema.get("enum")
    if isinstance(allowed, list) and not any(_equal(value, one) for one in allowed):
        return f"one of {json.dumps(allowed, ensure_ascii=False)[:200]}"
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict) and depth < 8:
        for element in value:
            expected = _mismatch(element, items, depth + 1)
            if expected:
                return f"a list of {expected}"
    return ""


def _is_of_type(value: object, name: str) -> bool:
    match name:
        case "string":
            return isinstance(value, str)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return value is None


def _equal(left: object, right: object) -> bool:
    """Equality as in JSON, where true is not 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)
