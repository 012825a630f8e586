"""How a user names an OpenAPI document or an MCP server: an address, with options in front as in a shell.

petstore.yaml
prefix=pets_ base=https://api.example.org token_env=PETS_TOKEN methods=GET,POST petstore.yaml
token_env=WIKI_TOKEN https://wiki.example.org/mcp
prefix=files_ environment=FILES_KEY python file_server.py --root data
"""

import json
import os
import re
import shlex
from dataclasses import dataclass
from typing import Any

import httpx

from components.contracts.errors import InputError
from components.contracts.nearest import nearest

OPTIONS = {
    "openapi": ("prefix", "base", "token_env", "methods"),
    "mcp": ("prefix", "token_env"),
    "mcp command": ("prefix", "environment"),
}
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS")

_OPTION = re.compile(r"([a-z_]+)=(.*)", re.DOTALL)
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True)
class RemoteSource:
    """One document or server, as it was named.

    words: the address as one word, or the command. prefix: in front of all its tools' names. base: where the
    document's operations are called, instead of the server it names. token: sent as a bearer token. methods:
    which operations are offered. environment: names of variables that the command may see.
    """

    kind: str
    words: tuple[str, ...]
    prefix: str = ""
    base: httpx.URL | None = None
    token: str = ""
    methods: frozenset[str] = frozenset({"GET"})
    environment: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The address, or the command's first word."""
        return self.words[0]

    @property
    def shown(self) -> str:
        """What messages call it: never a query or later words of a command, which may hold secrets."""
        return f"{self.kind} {self.address.partition('?')[0][:200]}"


def parse_source(kind: str, text: str) -> RemoteSource:
    """Reads `option=value ... address`; kind is a key of OPTIONS.

    Raises:
        InputError: an unknown option, a value that can't be used, a variable that is not set, no address.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"{kind}: {error}; expected shell-like words") from None
    options: dict[str, str] = {}
    while words and (found := _OPTION.fullmatch(words[0])):
        name, value = found.groups()
        if name not in OPTIONS[kind]:
            known = ", ".join(OPTIONS[kind])
            raise InputError(
                f"{kind}: unknown option {name!r}{nearest(name, OPTIONS[kind])}; expected {known}"
            )
        options[name] = value
        words.pop(0)
    if not words or (kind != "mcp command" and len(words) > 1):
        raise InputError(f"{kind}: expected one address after the options, got {len(words)}")
    prefix = options.get("prefix", "")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise InputError(
            f"{kind}: prefix {prefix[:40]!r}: expected letters, digits, '_', '.', '-', at most 32"
        )
    return RemoteSource(
        kind=kind,
        words=tuple(words),
        prefix=prefix,
        base=parse_base(options["base"], f"{kind}: base") if "base" in options else None,
        token=_variable(options["token_env"], f"{kind}: token_env") if "token_env" in options else "",
        methods=_methods(options["methods"]) if "methods" in options else frozenset({"GET"}),
        environment=tuple(name for name in options.get("environment", "").split(",") if name),
    )


def parse_url(text: str, where: str) -> httpx.URL:
    """An http or https URL with a host and without credentials.

    Raises:
        InputError: anything else; `where` names the setting.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise InputError(f"{where}: not a URL; expected http://... or https://...") from None
    if url.userinfo:
        raise InputError(f"{where}: credentials in a URL get into logs; expected token_env=VARIABLE")
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(
            f"{where}: {text.partition('?')[0][:200]!r} is not a URL; expected http://... or https://..."
        )
    return url


def parse_base(text: str, where: str) -> httpx.URL:
    """A URL that paths can be put behind.

    Raises:
        InputError: no URL, or one with a query or fragment, which no operation would be sent with.
    """
    url = parse_url(text, where)
    plain = url.copy_with(query=None, fragment=None)
    if url.query or url.fragment:
        raise InputError(
            f"{where}: there is a query or fragment behind {str(plain)[:200]}, which calls would lose; "
            "expected a URL without"
        )
    return plain


def hide_token(text: str, token: str) -> str:
    """The text with asterisks for a token that a server repeats, as it is or as JSON writes it."""
    for form in (json.dumps(token)[1:-1], token):
        text = text.replace(form, "***") if form else text
    return text


def hide_in_value(value: Any, token: str) -> Any:
    """The same in every text of a document, names included; what is shared or circular in it stays so."""
    return _hide(value, token, {}) if token else value


def _hide(value: Any, token: str, done: dict[int, Any]) -> Any:
    if isinstance(value, str):
        return hide_token(value, token)
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, list):
        listed = done[id(value)] = []
        for one in value:
            listed.append(_hide(one, token, done))
        return listed
    if isinstance(value, dict):
        named = done[id(value)] = {}
        for name, one in value.items():
            named[_hide(name, token, done)] = _hide(one, token, done)
        return named
    return value


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether both have the same scheme, host and port, or differ by the upgrade from http to https."""
    if (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port):
        return True
    upgraded = (one.scheme, other.scheme) == ("http", "https") and one.port is None and other.port is None
    return upgraded and one.host == other.host


def read_environment(source: RemoteSource) -> dict[str, str]:
    """The variables that a command may see.

    Raises:
        InputError: one is not set.
    """
    return {name: _variable(name, f"{source.kind}: environment") for name in source.environment}


def _variable(name: str, where: str) -> str:
    value = os.environ.get(name, "")
    if not value or not value.isascii() or not value.isprintable():
        raise InputError(
            f"{where}: {name[:64]!r}: expected the name of an environment variable with printable text"
        )
    return value


def _methods(text: str) -> frozenset[str]:
    names = [name.strip().upper() for name in text.split(",")]
    for name in names:
        if name not in METHODS:
            raise InputError(f"openapi: methods: {name[:20]!r}: expected some of {', '.join(METHODS)}")
    return frozenset(names)
