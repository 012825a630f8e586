"""The operations of an OpenAPI 3.0 or 3.1 document, each as a tool's name, description and parameters."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from components.contracts.errors import InputError
from tools_service.foreign_schemas import ForeignSchemas, Unsupported, object_schema, short_text
from tools_service.openapi_parameters import (
    Body,
    Parameter,
    list_parameters,
    parameter_schema,
    read_body,
    read_parameter,
)

MAX_OPERATIONS = 5_000
METHOD_KEYS = ("get", "put", "post", "delete", "patch", "head", "options")


@dataclass(frozen=True)
class Operation:
    """One operation; `schema` is the JSON schema of all its arguments."""

    name: str
    description: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    schema: dict[str, JsonValue]


def read_operations(
    document: dict[str, Any], methods: frozenset[str], *, prefix: str = "", own_servers: bool = False
) -> Iterator[tuple[str, Operation | str]]:
    """(tool name, the operation or the reason why it is not offered) in the document's order.

    methods: those that are offered, in capitals. prefix: in front of every name. own_servers: whether operations
    with `servers` of their own are offered all the same (the user named the base, which holds for all).

    Raises:
        InputError: more than MAX_OPERATIONS operations.
    """
    schemas = ForeignSchemas(document)
    taken: set[str] = set()
    paths = document.get("paths")
    for path, entry in (paths if isinstance(paths, dict) else {}).items():
        schemas.begin_tool()
        try:
            item = schemas.follow(entry)
        except Unsupported as reason:
            yield unique_name(safe_name(str(path), prefix), taken), str(reason)
            continue
        for key in METHOD_KEYS:
            if key not in item:
                continue
            operation = item[key] if isinstance(item[key], dict) else {}
            called = operation.get("operationId")
            wanted = called if isinstance(called, str) and called else f"{key}_{str(path).strip('/')}"
            name = unique_name(safe_name(wanted, prefix), taken)
            if key.upper() not in methods:
                yield name, f"{key.upper()} may change things there; offered with methods={key.upper()}"
                continue
            schemas.begin_tool()
            try:
                if not own_servers and (item.get("servers") or operation.get("servers")):
                    raise Unsupported("it has servers of its own; offered with base=URL")
                yield name, _read_operation(schemas, name, key.upper(), str(path), item, operation)
            except Unsupported as reason:
                yield name, str(reason)
            except RecursionError:
                yield name, "its schemas are nested too deeply"


def safe_name(text: str, prefix: str = "") -> str:
    """A tool name (`registry` says which are) that reads like the text; 56 characters at most."""
    words = re.sub(r"[^A-Za-z0-9_.-]+", "_", text[:400]).strip("_.-") or "operation"
    name = (prefix + words)[:56]
    return name if name[0].isalpha() or name[0] == "_" else f"_{name}"


def unique_name(name: str, taken: set[str]) -> str:
    """The name, numbered where it is taken; it is taken then.

    Raises:
        InputError: more than MAX_OPERATIONS names.
    """
    if len(taken) >= MAX_OPERATIONS:
        raise InputError(f"more than {MAX_OPERATIONS} operations; expected a smaller document")
    number, made = 2, name
    while made in taken:
        made = f"{name}_{number}"
        number += 1
    taken.add(made)
    return made


def _read_operation(
    schemas: ForeignSchemas,
    name: str,
    method: str,
    path: str,
    item: dict[str, Any],
    operation: dict[str, Any],
) -> Operation:
    if not path.startswith("/") or len(path) > 2_000 or not path.isprintable() or set("?#\\") & set(path):
        raise Unsupported("its path is not one; expected /...")
    if {".", ".."} & set(path.split("/")):
        raise Unsupported("its path leads out of the base")
    properties: dict[str, Any] = {}
    required: list[str] = []
    parameters: list[Parameter] = []
    for node in list_parameters(schemas, item, operation):
        parameter = read_parameter(schemas, node)
        if parameter is None:
            continue
        if parameter.name in properties:
            raise Unsupported(f"two of its parameters are named {parameter.name[:40]!r}")
        properties[parameter.name] = parameter_schema(schemas, node)
        if node.get("required") is True or parameter.place == "path":
            required.append(parameter.name)
        parameters.append(parameter)
    in_path = {one.name for one in parameters if one.place == "path"}
    if set(re.findall(r"\{([^{}]*)\}", path)) != in_path:
        raise Unsupported("its path and its path parameters differ")
    body = read_body(schemas, operation, properties, required)
    return Operation(
        name=name,
        description=_description(operation) or _description(item) or f"{method} {path}",
        method=method,
        path=path,
        parameters=tuple(parameters),
        body=body,
        schema=object_schema(properties, required),
    )


def _description(operation: dict[str, Any]) -> str:
    texts = [operation.get("summary"), operation.get("description")]
    lines = [short_text(text) for text in texts if isinstance(text, str) and text.strip()]
    if len(lines) == 2 and lines[1].startswith(lines[0].rstrip(".")):
        lines = lines[1:]
    return short_text(". ".join(line.rstrip(".") for line in lines) + ".") if lines else ""
