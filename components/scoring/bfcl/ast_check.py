"""Whether a turn's calls are the accepted ones, as BFCL's AST checker decides it, slips included.

Kept of its ways, since verdicts depend on them: groups of one call compare with the first function, whatever
its name; parallel calls are taken in the answers' order, each by the first call that fits, without trying
again; a parameter of the schema that the answer does not list is unexpected; the order of checks is the
official one, so that the first fault is too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.scoring.bfcl.faults import Fault
from components.scoring.bfcl.java import read_java
from components.scoring.bfcl.javascript import read_javascript
from components.scoring.bfcl.reference import JAVA, JAVASCRIPT, BfclReference
from components.scoring.bfcl.values import (
    OPTIONAL,
    check_dictionaries,
    check_dictionary,
    check_list,
    check_plain,
    check_text,
    check_type,
)
from components.scoring.calls import (
    ABSENT_CALL,
    CATEGORIES,
    EXTRA_CALL,
    MISSING_PARAMETER,
    NO_CALL,
    REDUNDANT_PARAMETER,
    UNKNOWN_PARAMETER,
    UNKNOWN_TOOL,
    WRONG_CONTENT,
    WRONG_TOOL,
)

_PYTHON_TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
_JAVA_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("byte", "short", "integer", "long"), int),
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("Array", "ArrayList", "Queue", "Stack"), list),
    **dict.fromkeys(("HashMap", "Hashtable"), dict),
    **dict.fromkeys(("char", "String", "any"), str),
    "boolean": bool,
    "Set": set,
}
_JAVASCRIPT_TYPES: Mapping[str, type] = {
    "String": str,
    "integer": int,
    "float": float,
    "Bigint": int,
    "Boolean": bool,
    "dict": dict,
    "array": list,
    "any": str,
}
_WITH_ITEMS = {"python": ("array", "tuple"), "java": ("Array", "ArrayList"), "js": ("array",)}
_READERS: Mapping[str, Callable[[str, str, str | None], Any]] = {"java": read_java, "js": read_javascript}
_TYPES = {"python": _PYTHON_TYPES, "java": _JAVA_TYPES, "js": _JAVASCRIPT_TYPES}
_LANGUAGES = {JAVA: "java", JAVASCRIPT: "js"}
_PARALLEL = "parallel_function_checker_no_order"
_SINGLE = "simple_function_checker"


def check_calls(reference: BfclReference, calls: Sequence[ToolCall]) -> Fault | None:
    """The fault of a turn's calls against the reference's possible answers; None when they are accepted.

    Raises:
        InputError: the reference lacks the function of an answer, or declares a type that BFCL has not.
    """
    answers = reference.possible_answers
    parallel, multiple = "parallel" in reference.group, "multiple" in reference.group
    wanted = len(answers) if parallel or multiple else 1
    if len(calls) != wanted:
        checker = _PARALLEL if parallel else "multiple_function_checker" if multiple else _SINGLE
        category = NO_CALL if not calls else ABSENT_CALL if len(calls) < wanted else EXTRA_CALL
        return Fault(f"{checker}:wrong_count", category, f"expected {wanted} calls, got {len(calls)}")
    if parallel:
        return _check_parallel(reference, calls)
    function = _function_of(reference, answers[0]) if multiple else reference.functions[0]
    return _check_call(reference, function, calls[0], answers[0])


def check_types(reference: BfclReference) -> None:
    """Whether the checker can read every declared parameter, whatever a model calls.

    Raises:
        InputError: a parameter, or the items of a list, declares no type that BFCL has.
    """
    language = _LANGUAGES.get(reference.group, "python")
    for function in reference.functions:
        for name, schema in (function["parameters"].get("properties") or {}).items():
            listed = schema.get("type") in _WITH_ITEMS[language]
            for one in (schema, schema.get("items") or {}) if listed else (schema,):
                if one.get("type") not in _TYPES[language]:
                    what = f"{function['name']}: {name}{'' if one is schema else '.items'}: type"
                    raise InputError(
                        f"{what} {one.get('type')!r}, expected one of {', '.join(_TYPES[language])}"
                    )


def _check_parallel(reference: BfclReference, calls: Sequence[ToolCall]) -> Fault | None:
    left = list(calls)
    for index, answer in enumerate(reference.possible_answers):
        function = _function_of(reference, answer)
        faults: list[Fault] = []
        for position, call in enumerate(left):
            fault = _check_call(reference, function, call, answer)
            if fault is None:
                del left[position]
                break
            faults.append(fault)
        else:
            nearest = max(faults, key=lambda fault: CATEGORIES.index(fault.category))
            text = f"no call fits answer {index}; the nearest: {nearest.kind}: {nearest.text}"
            return Fault(f"{_PARALLEL}:cannot_find_match", nearest.category, text)
    return None


def _function_of(reference: BfclReference, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    name = next(iter(answer))
    for function in reference.functions:
        if function["name"] == name:
            return function
    raise InputError(
        f"BFCL {reference.group}: functions: expected one named {name!r}, as the answer calls it"
    )


def _check_call(
    reference: BfclReference, function: Mapping[str, Any], call: ToolCall, answer: Mapping[str, Any]
) -> Fault | None:
    accepted: Mapping[str, Any] = next(iter(answer.values()))
    name: str = function["name"].replace(".", "_") if reference.underscored else function["name"]
    if call.name != name:
        known = (str(one["name"]) for one in reference.functions)
        offered = {one.replace(".", "_") if reference.underscored else one for one in known}
        category = WRONG_TOOL if call.name in offered else UNKNOWN_TOOL
        return Fault(f"{_SINGLE}:wrong_func_name", category, f"expected {name}, got {call.name}")
    declared: Mapping[str, Any] = function["parameters"]["properties"]
    for parameter in function["parameters"].get("required", ()):
        if parameter not in call.arguments:
            return Fault(f"{_SINGLE}:missing_required", MISSING_PARAMETER, f"no {parameter}")
    language = _LANGUAGES.get(reference.group, "python")
    for parameter, value in call.arguments.items():
        if parameter not in declared or parameter not in accepted:
            category = REDUNDANT_PARAMETER if parameter in declared else UNKNOWN_PARAMETER
            return Fault(f"{_SINGLE}:unexpected_param", category, f"unexpected {parameter}")
        fault = _check_value(parameter, value, accepted[parameter], declared[parameter], language)
        if fault is not None:
            return fault
    for parameter, values in accepted.items():
        if parameter not in call.arguments and OPTIONAL not in values:
            return Fault(f"{_SINGLE}:missing_optional", MISSING_PARAMETER, f"no {parameter}")
    return None


def _check_value(
    name: str, value: Any, answers: Sequence[Any], schema: Mapping[str, Any], language: str
) -> Fault | None:
    declared = schema["type"]
    expected = _type_of(declared, language)
    item_name = schema["items"]["type"] if declared in _WITH_ITEMS[language] else None
    items = _type_of(item_name, language) if item_name is not None else None
    if language == "python":
        if declared == "float" and type(value) is int:
            value = _as_float(value)
    elif type(value) is not str:
        text = f"{name}: expected {declared} written as a text, got {value!r}"
        return Fault(f"type_error:{language}", WRONG_CONTENT, text)
    else:
        value = _read(value, declared, item_name, language)
    fault, variable = check_type(name, value, answers, expected, items)
    if fault is not None or variable:
        return fault or check_plain(name, value, answers)
    if expected is dict:
        return check_dictionary(name, value, answers)
    if expected is str:
        return check_text(name, value, answers)
    if expected is list:
        return (check_dictionaries if items is dict else check_list)(name, value, answers)
    return check_plain(name, value, answers)


def _type_of(declared: str, language: str) -> type:
    expected = _TYPES[language].get(declared)
    if expected is None:
        raise InputError(f"BFCL functions: type {declared!r}: expected one of {', '.join(_TYPES[language])}")
    return expected


def _as_float(value: int) -> float | int:
    try:
        return float(value)
    except OverflowError:
        return value


def _read(text: str, declared: str, items: str | None, language: str) -> Any:
    """The value of a text; where BFCL's reader fails (a type that it can't read, thousands of digits), the text."""
    try:
        return _READERS[language](text, declared, items)
    except (KeyError, ValueError):
        return text
