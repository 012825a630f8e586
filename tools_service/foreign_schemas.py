"""JSON schemas from foreign documents as plain ones: local references put in, bounded, keywords known.

Nothing in a schema is executed, a `pattern` least of all: it is only shown. What can't be made plain (a
reference to elsewhere, to itself, too large) raises `Unsupported`, and the tool is not offered.
"""

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from pydantic import JsonValue

from components.contracts.tool_schemas import declared_types

MAX_DEPTH = 32
MAX_NODES = 2_000  # of one tool's schemas, references put in; 50 characters of text count as one
MAX_TOTAL_NODES = 100_000  # of one document's
TEXT_LIMIT = 1024  # characters of a description, as OpenAI's own interface allows
NAME_LIMIT = 200  # characters of a parameter's name

_COPIED = (
    *("type", "enum", "const", "default", "format", "pattern", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
)


class Unsupported(Exception):
    """Why something in a document can't be offered as a tool: one line."""


class ForeignSchemas:
    """Reads schemas, and other objects that may be references, of one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._nodes = 0  # of the tool that is read now
        self._total = 0

    def begin_tool(self) -> None:
        """What follows belongs to the next tool."""
        self._nodes = 0

    def follow(self, node: object) -> dict[str, Any]:
        """The object that `node` is or refers to.

        Raises:
            Unsupported: a reference that leads nowhere, elsewhere or in a circle; not an object.
        """
        for _ in range(MAX_DEPTH):
            self._count()
            if not isinstance(node, dict):
                raise Unsupported(f"expected an object, got {type(node).__name__}")
            if "$ref" not in node:
                return node
            node = self._look_up(node["$ref"])
        raise Unsupported("a reference refers to itself")

    def read(self, node: object, trail: tuple[str, ...] = (), depth: int = 0) -> dict[str, Any]:
        """The schema, plain. Raises Unsupported."""
        self._count()
        if isinstance(node, bool):
            return {} if node else {"not": {}}
        if not isinstance(node, dict):
            raise Unsupported(f"a schema that is {type(node).__name__}; expected an object")
        if depth > MAX_DEPTH:
            raise Unsupported(f"a schema deeper than {MAX_DEPTH} levels")
        reference = node.get("$ref")
        if reference is not None:
            if reference in trail:
                raise Unsupported(f"the schema {short_text(str(reference)[:100])} contains itself")
            below = self.read(self._look_up(reference), (*trail, reference), depth + 1)
            beside = {name: value for name, value in node.items() if name != "$ref"}
            return below | self.read(beside, trail, depth + 1) if beside else below
        plain = {name: self._value(node[name], depth) for name in _COPIED if name in node}
        if not declared_types(plain):
            plain.pop("type", None)
        if not isinstance(plain.get("enum", []), list):
            del plain["enum"]
        about = node.get("description")
        if isinstance(about, str) and about.strip():
            text = short_text(about)
            self._count(text)
            plain["description"] = text
        self._read_inner(node, plain, trail, depth)
        return _settle(plain, nullable=node.get("nullable") is True)

    def _read_inner(
        self, node: dict[str, Any], plain: dict[str, Any], trail: tuple[str, ...], depth: int
    ) -> None:
        properties = node.get("properties")
        if isinstance(properties, dict):
            # What is read-only comes in replies; it must not be sent.
            plain["properties"] = {
                _name(name): self.read(inner, trail, depth + 1)
                for name, inner in properties.items()
                if not (isinstance(inner, dict) and inner.get("readOnly") is True)
            }
        required = node.get("required")
        if isinstance(required, list):
            known = plain.get("properties", {})
            names = [name for name in required if isinstance(name, str) and name in known]
            plain["required"] = list(dict.fromkeys(names))
        for name in ("items", "additionalProperties"):
            if name in node:
                plain[name] = self.read(node[name], trail, depth + 1) if node[name] is not False else False
        for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
            if isinstance(node.get(name), list):
                plain[name] = [self.read(one, trail, depth + 1) for one in node[name]]

    def _value(self, value: object, depth: int) -> JsonValue:
        """A JSON value, whatever YAML made of it."""
        self._count()
        if depth > MAX_DEPTH:
            raise Unsupported(f"a value deeper than {MAX_DEPTH} levels")
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)
            case str():
                self._count(value[:TEXT_LIMIT])
                return value[:TEXT_LIMIT].encode("utf-8", "replace").decode()
            case list():
                return [self._value(one, depth + 1) for one in value]
            case dict():
                return {str(name)[:NAME_LIMIT]: self._value(one, depth + 1) for name, one in value.items()}
        return str(value)[:TEXT_LIMIT]

    def _count(self, text: str = "") -> None:
        weight = 1 + len(text) // 50
        self._nodes += weight
        self._total += weight
        if self._nodes > MAX_NODES:
            raise Unsupported(f"its schemas have more than {MAX_NODES} parts")
        if self._total > MAX_TOTAL_NODES:
            raise Unsupported("the document's schemas are too large in all")

    def _look_up(self, reference: object) -> object:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise Unsupported(f"a reference to elsewhere: {short_text(str(reference)[:100])}")
        place: Any = self._document
        for part in unquote(reference[1:]).split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and part in place:
                place = place[part]
            elif isinstance(place, list) and part.isdecimal() and len(part) < 6 and int(part) < len(place):
                place = place[int(part)]
            else:
                raise Unsupported(f"a reference that leads nowhere: {short_text(reference[:100])}")
        return place


def object_schema(properties: Mapping[str, Any], required: list[str]) -> dict[str, JsonValue]:
    """A tool's parameters. Raises Unsupported when they are too large to be shown."""
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
    }
    if len(json.dumps(schema)) > 32 * TEXT_LIMIT:
        raise Unsupported(f"its schema is longer than {32 * TEXT_LIMIT} characters")
    return schema


def short_text(text: str) -> str:
    """A description on one line and not too long; valid Unicode."""
    line = " ".join(text[: 8 * TEXT_LIMIT].split()).encode("utf-8", "replace").decode()
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"


def _name(name: object) -> str:
    if not isinstance(name, str) or not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise Unsupported(f"a parameter named {str(name)[:40]!r}; expected at most {NAME_LIMIT} characters")
    return name


def _settle(plain: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    """Says in `type` and `enum` what other keywords imply, as calls are checked by these two."""
    if len(plain.get("allOf", ())) == 1:
        (only,) = plain.pop("allOf")
        plain = only | plain
    for name in ("anyOf", "oneOf"):
        branches = plain.get(name)
        if branches and "type" not in plain:
            types = [declared_types(branch) for branch in branches]
            if all(types):
                plain["type"] = list(dict.fromkeys(one for several in types for one in several))
    if "const" in plain and "enum" not in plain:
        plain["enum"] = [plain["const"]]
    if nullable and (types_here := declared_types(plain)):
        plain["type"] = [*types_here, "null"]
        if "enum" in plain and None not in plain["enum"]:
            plain["enum"] = [*plain["enum"], None]
    return plain
