"""BFCL's retired executable groups, without executing anything.

The benchmark ran the model's calls and compared what came back; those functions ask servers of others, of which
some are gone. Here the calls themselves are compared with the benchmark's: the same number of calls, in any
order, each with the same name and parameters and equal values, typed (1 is 1.0, but not "1"; texts exactly; no
tolerance: 0.1667 is not 1/6). A parameter at the default that its schema declares counts as left out. So a call
that is written otherwise and returns the same is wrong here, and right there. There is no official verdict to
agree with: bfcl-eval no longer has that checker.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.scoring.bfcl.faults import Fault
from components.scoring.bfcl.reference import BfclReference
from components.scoring.calls import score_turn, show_calls

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def check_executable(reference: BfclReference, calls: Sequence[ToolCall]) -> Fault | None:
    """The fault of a turn's calls against the reference's; None when they are equal.

    Raises:
        InputError: a possible answer is no call with literal values.
    """
    schemas = {
        _offered(function["name"], reference): function["parameters"]["properties"]
        for function in reference.functions
    }
    golds = [read_answer(answer, reference) for answer in reference.possible_answers]
    score = score_turn(
        [_without_defaults(call, schemas) for call in calls],
        [[_without_defaults(gold, schemas) for gold in golds]],
        [
            {"type": "function", "function": {"name": name, "parameters": {"properties": properties}}}
            for name, properties in schemas.items()
        ],
    )
    if score.content_filled:
        return None
    text = f"expected {show_calls(golds)}, got {show_calls(calls)}"
    return Fault("executable:other_calls", score.category, text)


def read_answer(text: object, reference: BfclReference) -> ToolCall:
    """A call of the benchmark's own, written in Python: literals and arithmetic of numbers only; nothing is run.

    Values without a name belong to the function's parameters in their order.

    Raises:
        InputError: it is no such call.
    """
    try:
        call = ast.parse(str(text).strip(), mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError("no call")
        name = ast.unparse(call.func)
        function = next(one for one in reference.functions if one["name"] == name)
        names = list(function["parameters"]["properties"])
        arguments = {names[place]: _literal(value) for place, value in enumerate(call.args)}
        arguments |= {str(keyword.arg): _literal(keyword.value) for keyword in call.keywords}
        return ToolCall(name=_offered(name, reference), arguments=arguments)
    except (SyntaxError, ValueError, ArithmeticError, IndexError, StopIteration) as error:
        raise InputError(
            f"BFCL {reference.group}: possible answer {text!r}: expected a call of an offered function "
            f"with literal values ({error or 'no such function'})"
        ) from None


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        sides = _literal(node.left), _literal(node.right)
        if all(type(side) in (int, float) for side in sides):
            return _OPERATORS[type(node.op)](*sides)
    value = ast.literal_eval(node)
    return list(value) if isinstance(value, tuple) else value


def _offered(name: str, reference: BfclReference) -> str:
    return name.replace(".", "_") if reference.underscored else name


def _without_defaults(call: ToolCall, schemas: Mapping[str, Mapping[str, Any]]) -> ToolCall:
    schema = schemas.get(call.name, {})
    kept = {
        name: value
        for name, value in call.arguments.items()
        if name not in schema or "default" not in schema[name] or schema[name]["default"] != value
    }
    return call.model_copy(update={"arguments": kept})
