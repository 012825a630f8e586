"""Reading one field of a row: text, accepted answers, names of tools."""

import ast
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from components.ingest.rows import RowError

ANSWER_FIELDS = ("answers", "answer", "possible_answers", "golds", "gold", "gold_answers", "gold_answer")


def first_present(row: Mapping[str, object], names: Sequence[str]) -> str | None:
    """The first of `names` whose value in `row` is neither absent, null nor blank text."""
    for name in names:
        value = row.get(name)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            return name
    return None


def text_of(row: Mapping[str, object], names: Sequence[str]) -> str:
    """The non-blank text under the first of `names`.

    Raises:
        RowError: none of them is there, or the value is not text.
    """
    name = first_present(row, names)
    if name is None:
        raise RowError(names[0], "missing or empty, expected text")
    value = row[name]
    if not isinstance(value, str):
        raise RowError(name, f"expected text, got {type(value).__name__}")
    return value.strip()


def optional_text(row: Mapping[str, object], name: str) -> str:
    """The text or whole number under `name`; empty when it is not there."""
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowError(name, f"expected text, got {type(value).__name__}")
    return str(value).strip()


def answers_of(
    row: Mapping[str, object], names: Sequence[str] = ANSWER_FIELDS
) -> tuple[tuple[str, ...], bool]:
    """The accepted answers under the first of `names`, and whether all were JSON numbers.

    Takes one answer, a list, a list written as JSON or as a Python literal inside text, and the
    objects of TriviaQA (`value`, `aliases`) and SQuAD (`text`). Blank and repeated answers go.

    Raises:
        RowError: no gold there, or something that is neither text nor a number.
    """
    name = first_present(row, names)
    if name is None:
        raise RowError(names[0], "missing gold answer")
    found = _flatten(name, _unpack(row[name]))
    answers = tuple(dict.fromkeys(text for text in (_answer_text(name, one) for one in found) if text))
    if not answers:
        raise RowError(name, "missing gold answer")
    return answers, all(not isinstance(one, str) for one in found)


def texts_of(name: str, value: object) -> list[str]:
    """The non-blank texts in `value`: one, a list of them, or nothing; numbers are written out.

    Raises:
        RowError: something is neither text nor a number.
    """
    return [text for one in _flatten(name, value) if one is not None and (text := _answer_text(name, one))]


def tools_of(row: Mapping[str, object]) -> tuple[str, ...]:
    """The names under `tools`: a list of names or of OpenAI schemas, also as JSON text."""
    tools = row.get("tools")
    if isinstance(tools, str):
        tools = from_json("tools", tools) if tools.strip() else None
    if tools is None:
        return ()
    if not isinstance(tools, list | tuple):
        raise RowError("tools", f"expected a list, got {type(tools).__name__}")
    return tuple(_tool_name(tool) for tool in tools)


def from_json(name: str, text: str) -> Any:
    """The JSON value in `text`.

    Raises:
        RowError: it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowError(name, "expected JSON") from error


def is_number(text: str) -> bool:
    """Whether the text is one finite number, thousands commas, `$` and `%` allowed."""
    try:
        return math.isfinite(float(text.strip().strip("$%").strip().replace(",", "")))
    except ValueError:
        return False


def _unpack(value: object) -> object:
    if not (isinstance(value, str) and value.lstrip().startswith("[")):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return found
    return value


def _flatten(name: str, value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return [one for one in value if one is not None]
    if isinstance(value, Mapping):
        parts = [value.get(key) for key in ("value", "aliases", "text")]
        if all(part is None for part in parts):
            raise RowError(name, "expected text, a number or a list of them, got an object")
        return [one for part in parts if part is not None for one in _flatten(name, part)]
    return [value]


def _answer_text(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RowError(name, f"expected text or a number as an answer, got {type(value).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise RowError(name, f"expected a finite number, got {value}")
    return str(value).strip()


def _tool_name(tool: object) -> str:
    name = tool
    if isinstance(tool, Mapping):
        function = tool.get("function", tool)
        name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or not name.strip():
        raise RowError("tools", "expected the tool's name or its OpenAI schema")
    return name
