"""The arguments of an OpenAPI operation: parameters in its path, query and headers, and its JSON body."""

import re
from dataclasses import dataclass
from typing import Any

from tools_service.foreign_schemas import ForeignSchemas, Unsupported, short_text

BODY = "body"  # the one argument that is the whole body, where its properties can't be arguments

_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})  # OpenAPI 3.1, "Parameter Object"
_UNSAFE_HEADERS = frozenset(  # they steer the connection
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "cookie"}
    | {"expect", "accept-encoding", "forwarded"}
)
_STYLES = {
    "path": ("simple",),
    "header": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
}
_JSON_TYPE = re.compile(r"application/([a-z0-9_.-]+\+)?json")


@dataclass(frozen=True)
class Parameter:
    """One argument that goes into the path, the query or a header; as_json: written as JSON text."""

    name: str
    place: str  # path, query or header
    style: str
    explode: bool
    as_json: bool


@dataclass(frozen=True)
class Body:
    """A JSON body made of these arguments; `whole`: of the one argument BODY, whatever it holds.

    needed: sent even where none of them is given.
    """

    media_type: str
    names: tuple[str, ...]
    whole: bool
    needed: bool


def list_parameters(
    schemas: ForeignSchemas, item: dict[str, Any], operation: dict[str, Any]
) -> list[dict[str, Any]]:
    """The path's parameters and the operation's own, which go before; references followed."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for holder in (item, operation):
        listed = holder.get("parameters") or []
        if not isinstance(listed, list):
            raise Unsupported("its parameters are not a list")
        for node in listed:
            parameter = schemas.follow(node)
            found[str(parameter.get("in")), str(parameter.get("name"))] = parameter
    return list(found.values())


def read_parameter(schemas: ForeignSchemas, node: dict[str, Any]) -> Parameter | None:
    """The parameter, or None for one that is not to be given.

    Raises:
        Unsupported: a place, style or name that can't be an argument; headers that steer the connection can't.
    """
    name, place = node.get("name"), str(node.get("in"))
    if not isinstance(name, str) or not name or len(name) > 200 or not name.isprintable():
        raise Unsupported(f"a parameter named {str(name)[:40]!r}")
    if place == "cookie" or (place == "header" and name.lower() in _IGNORED_HEADERS):
        if place == "cookie" and node.get("required") is True:
            raise Unsupported(f"it needs the cookie {name[:40]!r}")
        return None
    if place not in _STYLES:
        raise Unsupported(f"a parameter in {place[:40]!r}")
    if place == "header" and (
        name.lower() in _UNSAFE_HEADERS
        or name.lower().startswith(("proxy-", "x-forwarded-"))
        or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name)
    ):
        raise Unsupported(f"the header {name[:40]!r} can't be an argument")
    style = node.get("style", _STYLES[place][0])
    if style not in _STYLES[place]:
        raise Unsupported(f"the parameter {name[:40]!r} has the style {str(style)[:40]!r}")
    explode = node.get("explode")
    return Parameter(
        name=name,
        place=place,
        style=style,
        explode=explode if isinstance(explode, bool) else style == "form",
        as_json="schema" not in node and isinstance(node.get("content"), dict),
    )


def parameter_schema(schemas: ForeignSchemas, node: dict[str, Any]) -> dict[str, Any]:
    """The parameter's plain schema with its own description."""
    schema = node.get("schema")
    if schema is None and isinstance(node.get("content"), dict):
        media: Any = next(iter(node["content"].values()), {})
        schema = media.get("schema") if isinstance(media, dict) else None
    plain = schemas.read({} if schema is None else schema)
    about = node.get("description")
    return plain | ({"description": short_text(about)} if isinstance(about, str) and about.strip() else {})


def read_body(
    schemas: ForeignSchemas, operation: dict[str, Any], properties: dict[str, Any], required: list[str]
) -> Body | None:
    """The body, its arguments added to `properties` and `required`.

    The properties of an object become arguments of their own, unless one has a parameter's name.
    """
    if operation.get("requestBody") is None:
        return None
    node = schemas.follow(operation["requestBody"])
    given = node.get("content")
    content: dict[str, Any] = given if isinstance(given, dict) else {}
    needed = node.get("required") is True
    kinds = {str(name).partition(";")[0].strip().lower(): name for name in content}
    kind = next((one for one in kinds if _JSON_TYPE.fullmatch(one)), "")
    if not kind:
        if needed:
            raise Unsupported("its body is not JSON")
        return None
    media = content[kinds[kind]]
    schema = schemas.read(media.get("schema", {}) if isinstance(media, dict) else {})
    inner = schema.get("properties") or {}
    clash = any(name in properties for name in inner)
    if inner and not clash and "object" in (schema.get("type") or "object"):
        properties |= inner
        required += schema.get("required", []) if needed else []
        return Body(kind, tuple(inner), whole=False, needed=needed)
    if BODY in properties:
        raise Unsupported(f"two of its parameters are named {BODY!r}")
    properties[BODY] = schema
    required += [BODY] if needed else []
    return Body(kind, (BODY,), whole=True, needed=needed)
