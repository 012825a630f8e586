"""Reading what a reward is measured against: the gold calls of a sample and the tools it offers."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from pydantic import ValidationError

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_schemas import TYPE_NAMES, ToolSchema, find_tool, parse_tools

GoldCall = Mapping[str, Any]  # {"name": text, "arguments": object}
Gold = GoldCall | Sequence[GoldCall] | Sequence[Sequence[GoldCall]]
Calls = tuple[ToolCall, ...]

FORM = '{"name": text, "arguments": object}'


def read_offered(tools: Sequence[ToolSchema]) -> tuple[ToolSchema, ...]:
    """The offered tools, checked: at least one, names unique, parameters a JSON schema of an object.

    Type names of other tool lists (`TYPE_NAMES`, and "any") are taken for those of JSON schema.

    Raises:
        InputError: one of these does not hold; the tool and the field are named.
    """
    try:
        text = json.dumps(list(tools))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"tools: expected a list of tool schemas as JSON: {error}") from error
    return _checked(text)


def read_alternatives(gold: Gold, offered: Sequence[ToolSchema]) -> tuple[Calls, ...]:
    """The accepted answers of a sample, each one or more parallel calls.

    gold: one call {"name", "arguments"}; a list of calls, which are parallel; or a list of such lists,
        of which any one is right.

    Raises:
        InputError: another form, no call at all, or a tool that is not offered; the place is named.
    """
    if isinstance(gold, Mapping):
        return ((_read_call(gold, "gold", offered),),)
    if not isinstance(gold, list | tuple) or not gold:
        raise InputError(f"gold: expected {FORM}, a list of them or a list of lists, got {gold!r:.80}")
    if all(isinstance(one, list | tuple) for one in gold):
        return tuple(_read_calls(one, f"gold[{index}]", offered) for index, one in enumerate(gold))
    return (_read_calls(gold, "gold", offered),)


def _read_calls(calls: Sequence[Any], where: str, offered: Sequence[ToolSchema]) -> Calls:
    if not calls:
        raise InputError(f"{where}: expected at least one call, got an empty list")
    return tuple(_read_call(call, f"{where}[{index}]", offered) for index, call in enumerate(calls))


def _read_call(value: object, where: str, offered: Sequence[ToolSchema]) -> ToolCall:
    if not isinstance(value, Mapping) or value.keys() != {"name", "arguments"}:
        raise InputError(f"{where}: expected {FORM}, got {value!r:.80}")
    try:
        json.dumps(value["arguments"], allow_nan=False, ensure_ascii=False).encode()
        call = ToolCall(name=value["name"], arguments=value["arguments"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(one) for one in first["loc"][:2])
        raise InputError(f"{where}.{place}: expected {FORM}: {first['msg']}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{where}.arguments: expected JSON values: {error}") from error
    if find_tool(offered, call.name) is None:
        raise InputError(f"{where}.name: the tool {call.name!r} is not among those offered")
    return call


@lru_cache(maxsize=1024)
def _checked(text: str) -> tuple[ToolSchema, ...]:
    """Cached, as a run meets the same tools in every epoch."""
    tools = parse_tools(text)
    if not tools:
        raise InputError("tools: expected at least one tool, got none")
    for index, tool in enumerate(tools):
        _check_parameters(tool["function"].get("parameters"), f"tools[{index}].function.parameters")
    return tools


def _check_parameters(parameters: object, where: str) -> None:
    try:
        schema = _plain(parameters or {})
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in error.absolute_path)
        raise InputError(f"{where}{place}: not JSON schema: {error.message[:200]}") from error
    except RecursionError as error:
        raise InputError(f"{where}: nested too deeply") from error
    declared = schema.get("type", "object")
    if declared != "object" and "object" not in declared:
        raise InputError(f"{where}.type: expected object, got {declared!r:.80}")


def _plain(schema: Any) -> Any:
    """A copy with JSON schema's own type names, and without members that are null."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(value) for key, value in schema.items() if value is not None}
    declared = plain.get("type")
    if isinstance(declared, str):
        if declared.lower() == "any":
            del plain["type"]
        else:
            plain["type"] = TYPE_NAMES.get(declared.lower(), declared)
    elif isinstance(declared, list):
        plain["type"] = [TYPE_NAMES.get(str(one).lower(), one) for one in declared]
    return plain
