"""Foreign tool lists to the OpenAI form: one place that knows how others write tools.

Known: the OpenAI form; bare functions (RoTBench, ToolEyes, glaive, ToolACE, BFCL); parameters without a
schema around them (xLAM, Hammer, ToolRL, API-Bank, Seal-Tools); MCP's and Anthropic's `input_schema`;
Python's type names ("List[int]", "str, optional"). Names of tools and parameters are kept as they are.

    {"api_name": "getScore", "parameters": {"team": {"type": "str", "description": "Which"}}}
    -> {"type": "function", "function": {"name": "getScore", "description": "", "parameters": {"type":
        "object", "properties": {"team": {"type": "string", "description": "Which"}}, "required": ["team"]}}}
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from components.contracts.errors import InputError
from components.contracts.tool_schemas import TYPE_NAMES, ToolSchema, parse_tools

NAME_KEYS = ("name", "api_name")
DESCRIPTION_KEYS = ("description", "api_description")
PARAMETER_KEYS = ("parameters", "input_parameters", "input_schema", "inputSchema", "arguments")
MAX_DEPTH = 32
_LIST_NAMES = frozenset({"list", "tuple", "set", "sequence", "iterable", "array"})
_OBJECT_NAMES = frozenset({"dict", "mapping", "object"})
_GENERIC = re.compile(r"([A-Za-z_.]+)\s*[\[(](.*)[\])]$", re.DOTALL)
_OPTIONAL = re.compile(r",?\s*\(?optional\)?\s*$", re.IGNORECASE)
_PYTHON_NAMES = frozenset({"str", "int", "float", "bool", "list", "dict", "tuple", "set"})


def normalise_tools(tools: object) -> tuple[ToolSchema, ...]:
    """A foreign tool list (also as JSON text, or one tool) in the OpenAI form; tools of one name are joined.

    Raises:
        InputError: no list, an empty list, or a tool that is none; `tools[i]` and the field are named.
    """
    if isinstance(tools, str):
        try:
            tools = json.loads(tools)
        except (ValueError, RecursionError) as error:
            raise InputError(f"tools: not JSON: {error}") from error
    if isinstance(tools, Mapping):
        tools = [tools]
    if not isinstance(tools, Sequence):
        raise InputError(f"tools: expected a list of tools, got {type(tools).__name__}")
    if not tools:
        raise InputError("tools: the list is empty, expected at least one tool")
    found: dict[str, ToolSchema] = {}
    for index, tool in enumerate(tools):
        schema = normalise_tool(tool, f"tools[{index}]")
        name = str(schema["function"]["name"])
        found[name] = _joined(found[name], schema) if name in found else schema
    return parse_tools(json.dumps(list(found.values()), ensure_ascii=False))


def normalise_tool(tool: object, where: str = "tool") -> ToolSchema:
    """One foreign tool in the OpenAI form.

    Raises:
        InputError: it has no name, or its parameters are no JSON schema; `where` begins the message.
    """
    if not isinstance(tool, Mapping):
        raise InputError(f"{where}: expected a tool's schema, got {type(tool).__name__}")
    function = tool["function"] if isinstance(tool.get("function"), Mapping) else tool
    name = next((function[key] for key in NAME_KEYS if key in function), None)
    about = next((function[key] for key in DESCRIPTION_KEYS if function.get(key)), "")
    given: object = next((function[key] for key in PARAMETER_KEYS if function.get(key)), {})
    if isinstance(given, list):
        given = _from_list(given, f"{where}.parameters")
    if not isinstance(given, Mapping):
        raise InputError(f"{where}.parameters: expected a JSON schema, got {type(given).__name__}")
    if not _is_schema(given):
        given = {"properties": given, "required": function.get("required")}
    parameters = _object(given, f"{where}.parameters", 0)
    reason = _reason_against(json.dumps(parameters, sort_keys=True))
    if reason:
        raise InputError(f"{where}.parameters: not a JSON schema: {reason}")
    return {
        "type": "function",
        "function": {"name": name, "description": str(about), "parameters": parameters},
    }


@lru_cache(maxsize=4096)
def _reason_against(schema: str) -> str:
    """What JSON schema's own rules say against a schema; empty when nothing. Files repeat their tools."""
    try:
        Draft202012Validator.check_schema(json.loads(schema))
    except SchemaError as error:
        place = ".".join(str(part) for part in error.path)
        return f"{place}: {error.message}"[:200].replace("\n", " ")
    return ""


def _joined(first: ToolSchema, second: ToolSchema) -> ToolSchema:
    """Two tools of one name as one that takes the parameters of either (RoTBench lists `drivers` twice)."""
    one, other = first["function"], second["function"]
    mine, theirs = one["parameters"], other["parameters"]
    about = " / ".join(dict.fromkeys(text for text in (one["description"], other["description"]) if text))
    parameters = {
        **theirs,
        **mine,
        "properties": theirs["properties"] | mine["properties"],
        "required": [name for name in mine["required"] if name in theirs["required"]],
    }
    return {
        "type": "function",
        "function": {"name": one["name"], "description": about, "parameters": parameters},
    }


def _is_schema(parameters: Mapping[str, Any]) -> bool:
    """Whether this is a JSON schema; otherwise it maps parameters' names to their schemas."""
    inner = parameters.get("properties")
    if isinstance(parameters.get("type"), str) and not isinstance(inner, str):
        return str(parameters["type"]).lower() in TYPE_NAMES or inner is not None
    return isinstance(inner, Mapping) and all(isinstance(one, Mapping) for one in inner.values())


def _from_list(parameters: Sequence[object], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, one in enumerate(parameters):
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            raise InputError(f"{where}[{index}]: expected a parameter with a name")
        found[one["name"]] = {key: value for key, value in one.items() if key != "name"}
    return found


def _object(schema: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
    """A schema of type object; marks such as `required: true` inside a property move to the list."""
    properties = schema.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise InputError(f"{where}.properties: expected an object, got {type(properties).__name__}")
    kind = schema.get("type", "object")
    if depth == 0 and TYPE_NAMES.get(str(kind).lower()) != "object":
        raise InputError(f"{where}.type: expected 'object', got {kind!r}")
    listed = schema.get("required")
    if listed is not None and not isinstance(listed, list | tuple | bool):
        raise InputError(f"{where}.required: expected a list of names, got {type(listed).__name__}")
    normal = {str(key): _property(one, f"{where}.{key}", depth + 1) for key, one in properties.items()}
    if isinstance(listed, list | tuple):
        required = [*listed]
        if not all(isinstance(name, str) for name in required):
            raise InputError(f"{where}.required: expected a list of names")
    else:
        required = _marked_required(properties)
    kept = {
        key: value
        for key, value in schema.items()
        if key not in ("type", "properties", "required", "optional")
    }
    return {"type": "object", "properties": normal, "required": required} | kept


def _marked_required(properties: Mapping[str, Any]) -> list[str]:
    """What has to be given where no list says so.

    `required` inside the properties decides where any has it. Python's type names come from signatures:
    there, what has no default and is not optional must be given.
    """
    described = {str(name): one for name, one in properties.items() if isinstance(one, Mapping)}
    if any("required" in one for one in described.values()):
        return [name for name, one in described.items() if one.get("required") is True]
    return [
        name
        for name, one in described.items()
        if _is_python(one.get("type")) and "default" not in one and not one.get("optional")
    ]


def _is_python(name: object) -> bool:
    if not isinstance(name, str) or _OPTIONAL.search(name) or name.startswith("Optional["):
        return False
    return re.split(r"[\[(]", name.strip())[0].lower() in _PYTHON_NAMES


def _property(schema: object, where: str, depth: int) -> dict[str, Any]:
    """One parameter's JSON schema."""
    if depth > MAX_DEPTH:
        raise InputError(f"{where}: nested deeper than {MAX_DEPTH}")
    if isinstance(schema, str) and schema.lower() in TYPE_NAMES:
        schema = {"type": schema}
    if not isinstance(schema, Mapping):
        raise InputError(f"{where}: expected a JSON schema, got {type(schema).__name__}")
    kept = {str(key): value for key, value in schema.items() if key not in ("type", "optional")}
    if isinstance(kept.get("required"), bool) or kept.get("required") is None:
        kept.pop("required", None)
    normal = _type(schema.get("type"), where, depth) | kept
    if isinstance(normal.get("items"), Mapping | str):
        normal["items"] = _property(normal["items"], f"{where}.items", depth + 1)
    if "properties" in normal:
        normal = _object({**normal, "required": normal.get("required", [])}, where, depth)
    if "enum" in normal and not isinstance(normal["enum"], list):
        raise InputError(f"{where}.enum: expected a list, got {type(normal['enum']).__name__}")
    return normal


def _type(declared: object, where: str, depth: int) -> dict[str, Any]:
    """`{"type": ...}` in JSON schema's names; a name that nobody knows goes to the title."""
    if declared is None:
        return {}
    if isinstance(declared, list) and all(isinstance(one, str) for one in declared):
        names = [TYPE_NAMES[one.lower()] for one in declared if one.lower() in TYPE_NAMES]
        return {"type": list(dict.fromkeys(names))} if names else {}
    if not isinstance(declared, str):
        raise InputError(f"{where}.type: expected the name of a type, got {type(declared).__name__}")
    text = _OPTIONAL.sub("", declared).strip()
    if text.lower() in TYPE_NAMES:
        return {"type": TYPE_NAMES[text.lower()]}
    generic = _GENERIC.fullmatch(text)
    name = generic.group(1).rpartition(".")[2].lower() if generic else text.lower()
    inner = _arguments(generic.group(2)) if generic else []
    if depth > MAX_DEPTH:
        raise InputError(f"{where}.type: nested deeper than {MAX_DEPTH}")
    if name in _LIST_NAMES:
        kinds = {json.dumps(_type(one, where, depth + 1)) for one in inner if one != "..."}
        items = json.loads(kinds.pop()) if len(kinds) == 1 else {}
        return {"type": "array", "items": items} if items else {"type": "array"}
    if name in _OBJECT_NAMES:
        return {"type": "object"}
    if name in ("union", "optional"):
        found = [_type(one, where, depth + 1).get("type") for one in inner if one.lower() != "none"]
        names = list(dict.fromkeys(one for one in found if isinstance(one, str)))
        if len(names) == len(found) and names:
            return {"type": names if len(names) > 1 else names[0]}
    return {"title": declared}


def _arguments(text: str) -> list[str]:
    """`int, Dict[str, int]` cut at the commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for position, sign in enumerate(text):
        depth += (sign in "[(") - (sign in "])")
        if sign == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return [*parts, text[start:].strip()]
