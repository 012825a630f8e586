"""One accepted call made from BFCL's table of allowed values: the first of each, "" left out.

    {"math.hypot": {"x": [4], "y": [5], "z": ["", 0]}}  ->  math.hypot(x=4, y=5)

Java and JavaScript arguments are text in that language, written so that the benchmark's checker reads the allowed
value out of them. Its readers differ in quotes: texts in a Java array keep theirs, so there they have none.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.contracts.records import ToolCall
from components.ingest.call_texts import make_call
from components.ingest.rows import RowError
from components.scoring.bfcl.languages import LANGUAGES

FIELD = "ground_truth"


def first_calls(answers: Sequence[object], functions: Sequence[Any], group: str) -> tuple[ToolCall, ...]:
    """The calls of one accepted turn.

    answers: one object a call, `{name: {parameter: [allowed, ...]}}`. functions: the documents as published.

    Raises:
        RowError: a table of another form, or a call of a function without a document.
    """
    return tuple(_call(one, functions, LANGUAGES.get(group, "Python")) for one in answers)


def _call(answer: object, functions: Sequence[Any], language: str) -> ToolCall:
    if not isinstance(answer, Mapping) or len(answer) != 1:
        raise RowError(FIELD, "expected an object with one function's name for each call")
    ((name, table),) = answer.items()
    document = next((one for one in functions if one.get("name") == name), None)
    if document is None:
        raise RowError(FIELD, f"the gold names a tool that is not offered (it is {name!r})")
    if not isinstance(table, Mapping):
        raise RowError(FIELD, "expected an object of allowed values by parameter")
    declared = document["parameters"].get("properties") or {}
    required = document["parameters"].get("required") or ()
    arguments = {}
    for parameter, allowed in table.items():
        if not isinstance(allowed, list):
            raise RowError(FIELD, "expected a list of allowed values for each parameter")
        may_go = "" in allowed and parameter not in required
        if may_go and (
            allowed[0] == "" or parameter not in declared
        ):  # a few tables name what no document has
            continue
        # no allowed value at all (in three published tables) is meant for an empty list
        value = next((one for one in allowed if one != ""), allowed[0] if allowed else [])
        schema = declared.get(parameter) or {}
        arguments[parameter] = _written(_plain(value), schema, language)
    return make_call(FIELD, name, arguments)


def _plain(value: Any) -> Any:
    """A value without the lists of allowed ones that objects (also those in a list) have inside."""
    if isinstance(value, list):
        return [_plain(one) if isinstance(one, Mapping) else one for one in value]
    if not isinstance(value, Mapping):
        return value
    found = {}
    for key, allowed in value.items():
        if not isinstance(allowed, list) or not allowed:
            found[key] = allowed
        elif allowed[0] != "":
            found[key] = allowed[0]
    return found


def _written(value: Any, schema: Mapping[str, Any], language: str) -> Any:
    if language == "Python" or isinstance(value, str):  # text is text, or the name of a variable
        return value
    declared, items = schema.get("type"), (schema.get("items") or {}).get("type")
    if language == "JavaScript":
        return _javascript(value, declared, items)
    return _java(value, declared, items)


def _java(value: Any, declared: str | None, items: str | None) -> str:
    if isinstance(value, list) and declared == "Array":
        parts = [one if isinstance(one, str) else _java(one, items, None) for one in value]
        return f"new {items if items == 'String' else 'Object'}[]{{{', '.join(parts)}}}"
    if isinstance(value, list):
        parts = [json.dumps(one) if isinstance(one, str) else _java(one, items, None) for one in value]
        return f"new ArrayList<>(Arrays.asList({', '.join(parts)}))" if parts else "new ArrayList<>()"
    if isinstance(value, Mapping):
        puts = (
            f"put({json.dumps(key)}, {json.dumps(one) if isinstance(one, str) else _java(one, None, None)});"
            for key, one in value.items()
        )
        return f"new HashMap<String, Object>() {{{{ {' '.join(puts)} }}}}"
    return json.dumps(value) + {"long": "L", "float": "f"}.get(str(declared), "")


def _javascript(value: Any, declared: str | None, items: str | None) -> str:
    if isinstance(value, list):
        bare = items == "any"
        parts = [one if bare and isinstance(one, str) else _javascript(one, None, None) for one in value]
        return f"[{', '.join(parts)}]"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key}: {_javascript(one, None, None)}" for key, one in value.items())
        return f"{{{inside}}}"
    return json.dumps(value, ensure_ascii=False) + ("n" if declared == "Bigint" else "")
