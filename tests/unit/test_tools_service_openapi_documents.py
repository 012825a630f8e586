"""OpenAPI documents that are malformed or hostile: tools, reasons or one line, never a traceback or a hang."""

import json
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.tool_schemas import parse_tools
from tools_service.failures import ToolFailure
from tools_service.foreign_schemas import MAX_NODES, ForeignSchemas, Unsupported
from tools_service.openapi_document import parse_document
from tools_service.openapi_operations import MAX_OPERATIONS, Operation, read_operations
from tools_service.openapi_request import make_request
from tools_service.remote_errors import error_of_status
from tools_service.schema_tools import check_by_schemas, make_schema_tool

ALL = frozenset({"GET", "POST", "PUT", "DELETE"})
BASE = httpx.URL("http://127.0.0.1:1/v1")
WORDS = st.sampled_from(
    (
        *(
            "type",
            "properties",
            "items",
            "enum",
            "anyOf",
            "allOf",
            "required",
            "readOnly",
            "nullable",
            "$ref",
        ),
        *(
            "object",
            "array",
            "string",
            "integer",
            "null",
            "path",
            "query",
            "header",
            "name",
            "body",
            "content",
        ),
        *(
            "form",
            "deepObject",
            "#/components/schemas/A",
            "#/components",
            "#/",
            "../x",
            "/x/{name}",
            "{name}",
        ),
    )
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)
PARAMETERS = st.lists(
    st.fixed_dictionaries(
        {"name": WORDS, "in": st.sampled_from(["path", "query", "header", "cookie"])},
        optional={"schema": VALUES, "required": VALUES, "style": WORDS, "content": VALUES, "$ref": WORDS},
    ),
    max_size=3,
)
OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "operationId": st.text(max_size=80) | VALUES,
        "parameters": PARAMETERS | VALUES,
        "requestBody": st.fixed_dictionaries(
            {
                "content": st.dictionaries(
                    st.just("application/json"), st.fixed_dictionaries({"schema": VALUES})
                )
            }
        )
        | VALUES,
        "description": VALUES,
        "servers": VALUES,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "paths": st.dictionaries(
            st.sampled_from(["/x", "/x/{name}", "/../y", "z", "/{path}{query}"]) | st.text(max_size=6),
            st.dictionaries(st.sampled_from(["get", "post"]), OPERATIONS, max_size=2) | VALUES,
            max_size=4,
        ),
        "components": st.fixed_dictionaries({"schemas": st.dictionaries(st.just("A"), VALUES)}),
    }
)


def parsed(data: bytes) -> tuple[dict[str, Any] | None, str]:
    """The document, or the one line that says why not."""
    try:
        return parse_document(data, "x"), ""
    except InputError as error:
        return None, str(error)


def read(document: dict[str, Any]) -> dict[str, Operation | str]:
    """Operations and reasons by name, all methods opened."""
    return dict(read_operations(document, ALL))


def with_schema(schema: Any, **components: Any) -> dict[str, Any]:
    """A document of one operation with one query parameter."""
    parameter = {"name": "q", "in": "query", "schema": schema}
    return {
        "paths": {"/x": {"get": {"operationId": "x", "parameters": [parameter]}}},
        "components": {"schemas": components},
    }


@given(document=DOCUMENTS, value=VALUES)
@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_any_document_gives_tools_or_reasons(document: dict[str, Any], value: Any) -> None:
    tools = []
    for name, operation in read(document).items():
        if isinstance(operation, str):
            assert operation
            assert "\n" not in operation
            continue
        tool = make_schema_tool(name, operation.description, operation.schema, lambda: "")
        tools.append(tool.schema)
        properties: Any = operation.schema["properties"]
        arguments: dict[str, Any] = dict.fromkeys(properties, value)
        try:
            parts = make_request(BASE, operation, check_by_schemas(name, (tool.schema,), arguments))
        except ToolFailure:
            continue
        assert str(parts.url).startswith("http://127.0.0.1:1/v1/")
        assert "/../" not in parts.url.path
    parse_tools(json.dumps(tools))


@given(
    data=st.binary(max_size=60) | st.text(alphabet="{}[]&*a:- \n<'\"!|>%#?,0.~", max_size=60).map(str.encode)
)
@settings(max_examples=300, deadline=None, database=None)
def test_any_bytes_are_a_document_or_one_line(data: bytes) -> None:
    document, message = parsed(data)
    assert isinstance(document, dict) is not bool(message)
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000,
        "- " * 50_000,
        "a: &a [*a]",
        "a: &a\n  <<: *a",
        "? {a: b}\n: c",
        "!!python/object/apply:os.system [ls]",
        "a: !!timestamp nonsense",
        "a: !!int nonsense",
        "a: !!int ''",
        "a: !!bool nonsense",
        "a: !!set {b}",
        "1",
        "- a\n" * 310_000,
        "\udcff".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_hostile_texts_end_at_once(text: str) -> None:
    start = time.process_time()
    document, message = parsed(text.encode())
    assert len(message) < 300
    if document is not None:
        with pytest.raises(Unsupported):
            ForeignSchemas(document).read({"enum": document["a"]})
    assert time.process_time() - start < 5


def test_yaml_has_the_types_of_json() -> None:
    text = "a: [no, on, 2020-01-01, 012, 1_0, 0x1, 12, -1.5, 1e3, true, null, ~, '', 5:30]\n200: x\nb:"
    document = parse_document(text.encode(), "x")
    assert document["a"] == [
        *("no", "on", "2020-01-01", "012", "1_0", "0x1", 12, -1.5, 1e3, True, None, None, "", "5:30")
    ]
    assert document[200] == "x"  # type: ignore[index]
    assert document["b"] is None


@pytest.mark.parametrize(
    ("schema", "components", "reason"),
    [
        (
            {"$ref": "#/components/schemas/A"},
            {"A": {"items": {"$ref": "#/components/schemas/A"}}},
            "contains itself",
        ),
        ({"$ref": "#/components/schemas/A"}, {"A": {"$ref": "#/components/schemas/A"}}, "contains itself"),
        ({"$ref": "#/components/schemas/None"}, {}, "leads nowhere"),
        ({"$ref": "http://127.0.0.1/secret.json"}, {}, "elsewhere: http://127.0.0.1"),
        ({"$ref": "file:///etc/passwd"}, {}, "elsewhere"),
        ({"$ref": 7}, {}, "elsewhere"),
        ({"enum": list(range(MAX_NODES))}, {}, f"more than {MAX_NODES} parts"),
        ({"properties": {"x" * 10_000: {}}}, {}, "a parameter named 'xxx"),
        ([], {}, "a schema that is list"),
    ],
)
def test_what_can_not_be_offered_says_why(schema: Any, components: dict[str, Any], reason: str) -> None:
    operation = read(with_schema(schema, **components))["x"]
    assert isinstance(operation, str)
    assert reason in operation


def test_references_that_double_at_every_level_are_cut_short() -> None:
    levels: dict[str, Any] = {
        f"L{n}": {"properties": {k: {"$ref": f"#/components/schemas/L{n + 1}"} for k in "abcd"}}
        for n in range(12)
    }
    levels["L12"] = {}
    paths = {
        f"/{n}": {
            "get": {
                "parameters": [{"name": "q", "in": "query", "schema": {"$ref": "#/components/schemas/L0"}}]
            }
        }
        for n in range(300)
    }
    start = time.process_time()
    reasons = read({"paths": paths, "components": {"schemas": levels}})
    assert time.process_time() - start < 10
    assert "too large in all" in str(list(reasons.values())[-1])


def test_a_pattern_is_shown_but_never_executed() -> None:
    operation = read(with_schema({"type": "string", "pattern": "^(a+)+$"}))["x"]
    assert isinstance(operation, Operation)
    tool = make_schema_tool("x", "", operation.schema, lambda: "")
    start = time.process_time()
    assert tool.check({"q": "a" * 100 + "!"})
    assert time.process_time() - start < 1


def test_long_names_are_cut_and_kept_apart_and_too_many_are_refused() -> None:
    paths = {f"/{n}": {"get": {"operationId": "n" * 10_000, "description": "d" * 100_000}} for n in range(3)}
    read_so = read({"paths": paths})
    assert list(read_so) == ["n" * 56, "n" * 56 + "_2", "n" * 56 + "_3"]
    first = read_so["n" * 56]
    assert isinstance(first, Operation)
    assert len(first.description) == 1024
    with pytest.raises(InputError, match="more than"):
        read({"paths": {f"/{n}": {"get": {}} for n in range(MAX_OPERATIONS + 1)}})


@pytest.mark.parametrize(
    ("path", "parameters", "reason"),
    [
        ("/a/../b", [], "leads out"),
        ("/a?b=c", [], "is not one"),
        ("a", [], "is not one"),
        ("/{id}", [], "differ"),
        (
            "/{id}",
            [{"name": "id", "in": "path", "schema": {}}, {"name": "id", "in": "query"}],
            "are named 'id'",
        ),
        ("/a", [{"name": "Host", "in": "header"}], "header 'Host'"),
        ("/a", [{"name": "X-A\r\nHost", "in": "header"}], "a parameter named"),
        ("/a", [{"name": "s", "in": "cookie", "required": True}], "cookie"),
        ("/{id}", [{"name": "id", "in": "path", "style": "matrix"}], "style"),
    ],
)
def test_operations_that_can_not_be_called_safely(path: str, parameters: list[Any], reason: str) -> None:
    ((_, operation),) = read({"paths": {path: {"get": {"parameters": parameters}}}}).items()
    assert isinstance(operation, str)
    assert reason in operation


def test_statuses_by_hand() -> None:
    expected = {
        **dict.fromkeys((200, 201, 204), None),
        **dict.fromkeys((400, 413, 422), "wrong_type_or_value"),
        **dict.fromkeys((402, 403, 404, 409, 410, 418, 451), "tool_call_failure"),
        **dict.fromkeys((401, 405, 415, 429, 302, 304, 500, 502, 503), "tool_instability"),
        **dict.fromkeys((408, 504), "timeout"),
    }
    assert {status: error_of_status(status) for status in expected} == expected


@pytest.mark.parametrize(
    ("place", "more", "value", "expected"),
    [
        ("path", {}, "a,b", "/v1/x/a%2Cb"),
        ("path", {}, ["a,b", "c/d", 1, True], "/v1/x/a%2Cb,c%2Fd,1,true"),
        ("path", {}, {"a,b": "c=d", "e": "f"}, "/v1/x/a%2Cb,c%3Dd,e,f"),
        ("path", {"explode": True}, {"a,b": "c=d", "e": "f"}, "/v1/x/a%2Cb=c%3Dd,e=f"),
        ("query", {"explode": False}, ["a,b", "c"], "/v1/x?p=a%2Cb,c"),
        ("query", {"explode": False, "style": "spaceDelimited"}, ["a b", "c"], "/v1/x?p=a%20b%20c"),
        ("query", {"explode": False, "style": "pipeDelimited"}, ["a|b", "c"], "/v1/x?p=a%7Cb%7Cc"),
        ("query", {"explode": False}, {"a": "b,c"}, "/v1/x?p=a,b%2Cc"),
        ("query", {}, ["a,b", "c"], "/v1/x?p=a%2Cb&p=c"),
        ("query", {}, "a,b", "/v1/x?p=a%2Cb"),
    ],
)
def test_a_separator_within_a_value_is_none(
    place: str, more: dict[str, Any], value: Any, expected: str
) -> None:
    """RFC 6570, section 3.2: each value is encoded by itself, then they are joined."""
    parameter = {"name": "p", "in": place, "required": True, "schema": {}} | more
    path = "/x/{p}" if place == "path" else "/x"
    document = {"openapi": "3.1.0", "paths": {path: {"get": {"parameters": [parameter]}}}}
    ((_, operation),) = read_operations(document, ALL)
    assert isinstance(operation, Operation)
    assert make_request(BASE, operation, {"p": value}).url.raw_path == expected.encode()
