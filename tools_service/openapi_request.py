"""A call of an operation as an HTTP request: what OpenAPI's styles make of the arguments.

Sources: OpenAPI 3.1, "Style Values" and "Style Examples"; RFC 6570 for the encoding.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import JsonValue

from tools_service.failures import wrong_value
from tools_service.openapi_operations import Operation
from tools_service.openapi_parameters import BODY, Parameter

MAX_URL_LENGTH = 8_000
_SEPARATORS = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}


@dataclass(frozen=True)
class RequestParts:
    """What makes up a request but for the method and what is common to all."""

    url: httpx.URL
    headers: dict[str, str]
    content: bytes | None


def make_request(base: httpx.URL, operation: Operation, arguments: Mapping[str, JsonValue]) -> RequestParts:
    """The request of a call whose arguments fit the operation's schema.

    base: without query and fragment.

    Raises:
        ToolFailure: wrong_type_or_value for a value that can't be sent there.
    """
    path = operation.path
    query: list[tuple[str, str]] = []  # the values encoded already
    headers: dict[str, str] = {}
    filled: dict[str, str] = {}
    for parameter in operation.parameters:
        if parameter.name not in arguments:
            continue
        value = arguments[parameter.name]
        if parameter.place == "path":
            filled[parameter.name] = _path_value(parameter, value)
        elif parameter.place == "header":
            headers[parameter.name] = _header_value(parameter, value)
        else:
            query += _query_pairs(parameter, value)
    segments = [_fill(segment, filled) for segment in path.split("/")]
    text = str(base).rstrip("/") + "/".join(segments)
    if query:
        text += "?" + "&".join(f"{quote(name, safe='[]', errors='replace')}={value}" for name, value in query)
    if len(text) > MAX_URL_LENGTH:
        raise wrong_value(f"{operation.name}: the arguments are too long for a URL")
    content = _body(operation, arguments)
    if content is not None and operation.body is not None:
        headers["content-type"] = operation.body.media_type
    return RequestParts(httpx.URL(text), headers, content)


def _body(operation: Operation, arguments: Mapping[str, JsonValue]) -> bytes | None:
    body = operation.body
    if body is None:
        return None
    given: JsonValue = {name: arguments[name] for name in body.names if name in arguments}
    if not given:
        return b"{}" if body.needed else None
    if body.whole:
        given = arguments[BODY]
    return json.dumps(given, ensure_ascii=False).encode("utf-8", "replace")


def _fill(segment: str, filled: Mapping[str, str]) -> str:
    """One segment of the path with its parameters put in, each of which is there once at least."""
    pieces: list[str] = []
    rest = segment
    while rest:
        before, opening, after = rest.partition("{")
        pieces.append(quote(before, safe=":@!$&'()*+,;=-._~%"))
        name, _, rest = after.partition("}")
        if opening:
            pieces.append(filled[name])
    made = "".join(pieces)
    if made in (".", ".."):
        raise wrong_value("a path may not be left by '.' or '..'")
    return made


def _path_value(parameter: Parameter, value: JsonValue) -> str:
    text = _joined(parameter, value, ",")
    if not text:
        raise wrong_value(f"{parameter.name} must not be empty")
    # Some servers decode %2F before they take dots away.
    if {".", ".."} & set(text.replace("\\", "/").split("/")):
        raise wrong_value(f"{parameter.name}: a path may not be left by '.' or '..'")
    return _joined(parameter, value, ",", encode=_quoted)


def _header_value(parameter: Parameter, value: JsonValue) -> str:
    text = _joined(parameter, value, ",")
    if not text.isascii() or not text.isprintable():
        raise wrong_value(f"{parameter.name}: a header takes printable ASCII characters")
    return text.strip()


def _query_pairs(parameter: Parameter, value: JsonValue) -> Iterator[tuple[str, str]]:
    """Names as they are, values encoded."""
    name = parameter.name
    if value is None:
        return
    if parameter.as_json or not isinstance(value, list | dict):
        yield name, _joined(parameter, value, ",", encode=_quoted)
    elif parameter.style == "deepObject" and isinstance(value, dict):
        for key, inner in value.items():
            yield f"{name}[{key}]", _quoted(_scalar(inner))
    elif parameter.explode and parameter.style != "deepObject":
        pairs = value.items() if isinstance(value, dict) else ((name, inner) for inner in value)
        for key, inner in pairs:
            yield key, _quoted(_scalar(inner))
    else:
        yield name, _joined(parameter, value, _SEPARATORS.get(parameter.style, ","), encode=_quoted)


def _joined(
    parameter: Parameter, value: JsonValue, separator: str, *, encode: Callable[[str], str] = str
) -> str:
    """The value as text. Each part is encoded by itself, so that a separator within it is none."""
    if parameter.as_json:
        return encode(json.dumps(value, ensure_ascii=False))
    if isinstance(value, list):
        return separator.join(encode(_scalar(inner)) for inner in value)
    if isinstance(value, dict):
        between = "=" if parameter.explode and parameter.place != "query" else separator
        return separator.join(
            f"{encode(key)}{between}{encode(_scalar(inner))}" for key, inner in value.items()
        )
    return encode(_scalar(value))


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _scalar(value: Any) -> str:
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
