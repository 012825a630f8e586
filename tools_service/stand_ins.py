"""Stand-ins: tools of which only the schema is there, such as those that a benchmark's questions bring along.

A stand-in checks its arguments against the schema, as the tool itself would, and replies with the same JSON to
the same call: what it was asked, and values that depend on the call alone. That is enough to practise and to
judge calling; the contents of the replies mean nothing.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.tool_schemas import ToolSchema, parse_tools, tool_name
from tools_service.registry import Tool
from tools_service.schema_tools import check_by_schemas


def read_stand_ins(path: Path) -> list[Tool]:
    """The stand-ins of a file: a JSON array of tool schemas, or JSON lines with such an array in `offered`.

    The second is the form of a question set whose questions bring their tools. A name may come with
    several schemas; a call then has to fit one of them, and the first is shown.

    Raises:
        InputError: no such file, or a line is neither; the line is named.
    """
    schemas: dict[str, list[ToolSchema]] = defaultdict(list)
    for where, text in _arrays(path):
        try:
            tools = parse_tools(text)
        except InputError as error:
            raise InputError(f"stand-ins: {path}{where}: {error}") from error
        for tool in tools:
            if tool not in schemas[tool_name(tool)]:
                schemas[tool_name(tool)].append(tool)
    if not schemas:
        raise InputError(f"stand-ins: {path} holds no tool schema; expected at least one")
    return [make_stand_in(name, variants) for name, variants in schemas.items()]


def make_stand_in(name: str, variants: Sequence[ToolSchema]) -> Tool:
    """A stand-in for the tool `name`, whose schema is any one of `variants`, at least one."""
    shown = variants[0]["function"]
    parameters: dict[str, JsonValue] = {"type": "object", **(shown.get("parameters") or {})}
    parameters.setdefault("properties", {})
    parameters.setdefault("required", [])
    return Tool(
        name=name,
        description=str(shown.get("description") or ""),
        function=partial(reply, name),
        parameters=parameters,
        check=partial(check_by_schemas, name, tuple(variants)),
        quick=True,
        is_coroutine=False,
    )


def reply(tool: str, /, **arguments: JsonValue) -> str:
    """The stand-in's JSON reply, the same for the same call in whatever order its arguments come.

    Numbers are JSON's: 5 and 5.0 are the same argument.
    """
    arguments = dict(sorted(arguments.items()))
    call = json.dumps([tool, _one_form(arguments)], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(call.encode("utf-8", "surrogatepass")).digest()
    result = {"id": digest[:4].hex(), "value": int.from_bytes(digest[4:6], "big"), **arguments}
    return json.dumps({"status": "success", "result": result}, ensure_ascii=False)


def _one_form(value: JsonValue) -> JsonValue:
    """The value with whole numbers written as integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_one_form(one) for one in value]
    return {key: _one_form(one) for key, one in value.items()} if isinstance(value, dict) else value


def _arrays(path: Path) -> Iterator[tuple[str, str]]:
    """(":line" or "", JSON array) of each place in the file that lists tools."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"stand-ins: {path}: {error}") from error
    if text.lstrip().startswith("["):
        yield "", text
        return
    # splitlines() would also cut at separators that JSON texts may hold as they are, such as U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            offered = json.loads(line)["offered"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(
                f"stand-ins: {path}:{number}: expected a JSON array of tool schemas, or lines with one in 'offered'"
            ) from error
        if not isinstance(offered, str):
            raise InputError(
                f"stand-ins: {path}:{number}: offered: expected text, got {type(offered).__name__}"
            )
        if offered:
            yield f":{number}", offered
