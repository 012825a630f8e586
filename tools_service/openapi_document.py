"""Opens an OpenAPI document: a file or a URL, JSON or YAML, of bounded size."""

import re
import time
from pathlib import Path
from typing import Any

import httpx
import yaml
from pydantic_core import from_json

from components.contracts.errors import InputError
from tools_service.remote_sources import RemoteSource, hide_in_value, hide_token, parse_url, same_origin

MAX_BYTES = 16 << 20
MAX_DEPTH = 200  # of a YAML document; JSON's parser has a limit of its own
MAX_YAML_NODES = 300_000  # some seconds' work; JSON is a hundred times as quick
MAX_REDIRECTS = 5
OPEN_SECONDS = 30.0


def is_url(address: str) -> bool:
    """Whether a document's address is no file."""
    return address.lower().startswith(("http://", "https://"))


def open_document(source: RemoteSource) -> tuple[dict[str, Any], httpx.URL | None]:
    """The document without the source's token, and the URL it came from in the end (None: a file).

    Raises:
        InputError: can't be read, too large, neither JSON nor YAML, no OpenAPI 3.0 or 3.1.
    """
    place: httpx.URL | None = None
    if is_url(source.address):
        data, place = _download(source)
    else:
        try:
            with Path(source.address).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise InputError(f"{source.shown}: {reason}; expected a file or a URL") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{source.shown}: larger than {MAX_BYTES >> 20} MiB")
    document = hide_in_value(parse_document(data, source.shown, source.token), source.token)
    version = document.get("openapi")
    if not isinstance(version, str) or not re.match(r"3\.[01](\.|$)", version):
        raise InputError(f"{source.shown}: openapi: expected 3.0 or 3.1, got {str(version)[:40]!r}")
    if not isinstance(document.get("paths", {}), dict):
        raise InputError(f"{source.shown}: paths: expected an object")
    return document, place


def parse_document(data: bytes, where: str, token: str = "") -> dict[str, Any]:
    """A JSON object, or YAML of JSON's own types. token: what messages must not hold.

    Raises:
        InputError: neither; one line.
    """
    try:
        text = data.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            document = from_json(text, allow_inf_nan=False)
        else:
            document = yaml.load(text, _JsonTypes)
    except (ValueError, LookupError, RecursionError, yaml.YAMLError, OverflowError) as error:
        reason = " ".join(hide_token(str(error), token).split())[:200] or type(error).__name__
        raise InputError(f"{where}: neither JSON nor YAML: {reason}") from None
    if not isinstance(document, dict):
        raise InputError(f"{where}: expected an OpenAPI document, got {type(document).__name__}")
    return document


class _JsonTypes(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML restricted to JSON's types, as OpenAPI demands: no dates, `no` is text, nothing is merged."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as in the base class
    yaml_constructors = {  # noqa: RUF012
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("map", "seq", "str", "int", "float", "bool", "null")
    }

    depth = 0
    nodes = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Called for each node on the way in: libyaml's own recursion would end the process."""
        self.nodes += 1
        if self.nodes > MAX_YAML_NODES:
            raise yaml.constructor.ConstructorError(None, None, "too large for YAML; expected JSON")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.constructor.ConstructorError(None, None, f"nested deeper than {MAX_DEPTH} levels")

    def ascend_resolver(self) -> None:
        """Called for each node on the way out."""
        self.depth -= 1

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuses `<<`, which can make a short document endless."""
        if any(key.value == "<<" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "merge keys (<<) are not allowed")


_JsonTypes.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(true|false)\Z"), list("tf"))
_JsonTypes.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(null|~|)\Z"), ["n", "~", ""])
_JsonTypes.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"-?(0|[1-9][0-9]{0,17})\Z"), list("-0123456789")
)
_JsonTypes.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?\Z"),
    list("-0123456789"),
)


def _download(source: RemoteSource) -> tuple[bytes, httpx.URL]:
    url = parse_url(source.address, source.kind)
    headers = {"accept": "application/json, application/yaml, */*", "accept-encoding": "identity"}
    if source.token:
        headers["authorization"] = f"Bearer {source.token}"
    deadline = time.monotonic() + OPEN_SECONDS
    try:
        with httpx.Client(headers=headers, timeout=OPEN_SECONDS, trust_env=False) as client:
            for _ in range(MAX_REDIRECTS):
                with client.stream("GET", url) as response:
                    target = response.next_request
                    if target is not None:
                        if not same_origin(url, target.url):
                            raise InputError(
                                f"{source.shown}: redirects to {target.url.host[:200]}; expected the document itself"
                            )
                        url = target.url
                        continue
                    if response.status_code != 200:
                        raise InputError(
                            f"{source.shown}: HTTP {response.status_code}; expected the document"
                        )
                    return _read(response, deadline), url
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{source.shown}: can't be reached: {reason}") from None
    raise InputError(f"{source.shown}: redirects more than {MAX_REDIRECTS} times")


def _read(response: httpx.Response, deadline: float) -> bytes:
    """The body as it came, up to one byte beyond the limit."""
    data = bytearray()
    for piece in response.iter_raw():
        data += piece
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout(f"not there after {OPEN_SECONDS:g} seconds")
        if len(data) > MAX_BYTES:
            break
    return bytes(data[: MAX_BYTES + 1])
