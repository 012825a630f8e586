"""Calls as foreign rows write them: JSON objects, Python calls, Thought/Action/Action Input.

Nothing is ever evaluated; arithmetic between numbers (`p=1/6`, as BFCL's golds have it) is worked out.
"""

import ast
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue, TypeAdapter, ValidationError

from components.contracts.records import ToolCall
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema, find_tool, tool_parameters
from components.ingest.rows import RowError, Said

ACTION = re.compile(
    r"\s*(?:Thought\s*:(?P<thought>.*?))?^\s*Action\s*:[ \t]*(?P<name>[^\n]*?)[ \t]*\n"
    r"\s*Action Input\s*:\s*(?P<input>.*?)\s*\Z",
    re.DOTALL | re.MULTILINE,
)
ARGUMENT_KEYS = ("arguments", "parameters", "args")
MAX_DEPTH = 64
LARGEST = 10**15  # of an exponent's base and of a result; nothing that a call needs is larger
_JSON: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def make_call(field: str, name: object, arguments: object, call_id: object = "") -> ToolCall:
    """A call from its parts; arguments may be JSON or a Python literal in text, or nothing.

    Raises:
        RowError: no name, or arguments that are no object of JSON values.
    """
    if not isinstance(name, str) or not name.strip():
        raise RowError(field, f"unparsable call: expected the tool's name, got {name!r}")
    if isinstance(arguments, str):
        arguments = read_object(field, arguments) if arguments.strip() else {}
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping):
        raise RowError(
            field, f"unparsable call: expected an object of arguments, got {type(arguments).__name__}"
        )
    try:
        values = _JSON.validate_python(dict(arguments), strict=True)
        json.dumps(values, allow_nan=False).encode()
        call = ToolCall(name=name.strip(), arguments=values, id=str(call_id or ""))
        call.model_dump_json()
    except (ValidationError, ValueError, RecursionError) as error:
        raise RowError(field, "unparsable call: arguments that JSON can't hold") from error
    return call


def read_object(field: str, text: str) -> object:
    """The JSON value or Python literal in `text`.

    Raises:
        RowError: it is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise RowError(field, f"unparsable call: not JSON, got {text[:60]!r}") from error


def json_calls(field: str, value: object) -> tuple[ToolCall, ...]:
    """`{"name", "arguments"}`, a list of those, either also as text, or one a line.

    OpenAI's `{"id", "type", "function": {...}}` is taken as well; so are the keys "parameters" and "args".

    Raises:
        RowError: not such calls.
    """
    if isinstance(value, str):
        lines = [line for line in value.strip().splitlines() if line.strip()]
        if len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines):
            value = [read_object(field, line) for line in lines]
        else:
            value = read_object(field, value)
    return tuple(_json_call(field, one) for one in (value if isinstance(value, list | tuple) else [value]))


def _json_call(field: str, value: object) -> ToolCall:
    if not isinstance(value, Mapping):
        raise RowError(field, f"unparsable call: expected an object, got {type(value).__name__}")
    function = value.get("function")
    inner = function if isinstance(function, Mapping) else value
    arguments = next((inner[key] for key in ARGUMENT_KEYS if key in inner), None)
    return make_call(field, inner.get("name"), arguments, value.get("id", ""))


def action_turn(field: str, text: str) -> Said:
    """`Thought: ...\\nAction: name\\nAction Input: {...}` as an assistant's message.

    Raises:
        RowError: no such text, or its input is no object.
    """
    found = ACTION.match(text)
    if found is None:
        raise RowError(field, "unparsable call: expected 'Action:' and 'Action Input:'")
    call = make_call(field, found["name"], found["input"])
    return Said("assistant", (found["thought"] or "").strip(), (call,))


def python_calls(field: str, text: str, tools: Sequence[ToolSchema]) -> tuple[ToolCall, ...]:
    """`[f(a=1), g.h(b="x")]` or a lone call; names may hold spaces when they are among `tools`.

    Raises:
        RowError: not such calls.
    """
    parsed = get_call_format("pythonic").parse(text, tools)
    if parsed.calls and not parsed.failures:
        return tuple(one.call for one in parsed.calls)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        nodes = tree.elts if isinstance(tree, ast.List | ast.Tuple) else [tree]
        return tuple(_python_call(field, node, tools) for node in nodes)
    except (SyntaxError, ValueError, RecursionError, MemoryError, ArithmeticError) as error:
        if isinstance(error, RowError):
            raise
        raise RowError(field, f"unparsable call: expected name(a=1), got {text[:60]!r}") from error


def _python_call(field: str, node: ast.expr, tools: Sequence[ToolSchema]) -> ToolCall:
    if not isinstance(node, ast.Call):
        raise ValueError("not a call")
    name = ast.unparse(node.func)
    tool = find_tool(tools, name)
    unnamed = list(tool_parameters(tool)) if tool else []
    if len(node.args) > len(unnamed):
        raise ValueError("a value without a name")
    arguments = {key: _value(one) for key, one in zip(unnamed, node.args, strict=False)}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in arguments:
            raise ValueError("an argument twice, or **")
        arguments[keyword.arg] = _value(keyword.value)
    return make_call(field, name, arguments)


def _value(node: ast.expr, depth: int = 0) -> object:
    """The literal that `node` writes, arithmetic between numbers included."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_value(one, depth + 1) for one in node.elts]
    if isinstance(node, ast.Dict):
        keys = [one.value if isinstance(one, ast.Constant) else None for one in node.keys]
        return dict(zip(keys, (_value(one, depth + 1) for one in node.values), strict=True))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _number(node.operand, depth)
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left, depth), _number(node.right, depth)
        if isinstance(node.op, ast.Pow):
            if abs(right) > 32 or abs(left) > LARGEST:
                raise ValueError("too large a power")
            return left**right
        if type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](left, right)
    raise ValueError("not a literal")


def _number(node: ast.expr, depth: int) -> float:
    value = _value(node, depth + 1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("arithmetic with what is no number")
    return value
