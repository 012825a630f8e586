"""An OpenAPI document's operations as tools, against a real API on loopback."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.client import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import parse_tools
from tests.foreign_api import HANDWRITTEN, make_api, serving_app
from tests.small_tools import free_port
from tests.tools_process import tools_service
from tools_service.execution import Call, Executor, Reply
from tools_service.offered import make_registry
from tools_service.registry import Registry
from tools_service.settings import ToolsSettings

TOKEN = "a-secret-for-the-foreign-api"


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving_app(make_api()) as url:
        yield url


@contextmanager
def offered(*documents: str, seconds: float = 10.0) -> Iterator[Registry]:
    registry = make_registry(ToolsSettings.read(openapi=documents, call_seconds=seconds))
    try:
        yield registry
    finally:
        registry.close()


def ask(registry: Registry, name: str, /, **arguments: Any) -> Reply:
    (reply,) = asyncio.run(Executor(registry).run([Call(name=name, arguments=arguments)]))
    return reply


def code(reply: Reply) -> str | None:
    return reply["error"]["code"] if reply["error"] else None


def parameters(registry: Registry, name: str) -> dict[str, Any]:
    return dict(registry.tools[name].parameters)


def test_a_generated_documents_operations_become_tools(api: str) -> None:
    with offered(f"{api}/openapi.json") as registry:
        parse_tools(json.dumps(registry.schemas()))
        assert registry.tools["get_pet"].description == "Get Pet. Tells about a pet."
        shown = parameters(registry, "echo")
        assert shown["required"] == []
        assert shown["properties"]["tags"]["type"] == ["array", "null"]
        assert shown["properties"]["limit"]["type"] == ["integer", "null"]
        assert "methods=POST" in registry.unavailable["add_pet"]
        assert json.loads(ask(registry, "get_pet", name="rex")["content"]) == {"name": "rex", "age": 3}
        echoed = json.loads(ask(registry, "echo", tags=["a b", "c&d"], limit=2)["content"])
        assert echoed["query"] == "tags=a%20b&tags=c%26d&limit=2"
        assert "authorization" not in echoed["headers"]
        assert ask(registry, "empty")["content"] == "done (HTTP 204)"


def test_bodies_are_arguments_where_methods_are_opened(api: str) -> None:
    with offered(f"methods=get,POST,PUT {api}/openapi.json") as registry:
        shown = parameters(registry, "add_pet")
        assert shown["required"] == ["name", "age"]
        assert shown["properties"]["kind"]["enum"] == ["dog", "cat"]
        added = json.loads(ask(registry, "add_pet", name="bo", age=2)["content"])
        assert added == {"name": "bo", "age": 2, "kind": "dog"}
        assert parameters(registry, "put_numbers")["required"] == ["body"]
        assert ask(registry, "put_numbers", body=[1, 2, 3])["content"] == "6"
        refused = ask(registry, "add_pet", name="bo", age=-1)
        assert code(refused) == ToolError.WRONG_TYPE_OR_VALUE
        assert refused["content"] == "Error: HTTP 422: age: expected at least 0"


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("get_pet", {}, ToolError.MISSING_PARAMETER),
        ("get_pet", {"name": "rex", "colour": 1}, ToolError.PARAMETER_HALLUCINATION),
        ("get_pet", {"name": 7}, ToolError.WRONG_TYPE_OR_VALUE),
        ("get_pet", {"name": "../pets/rex"}, ToolError.WRONG_TYPE_OR_VALUE),
        ("get_pet", {"name": ".."}, ToolError.WRONG_TYPE_OR_VALUE),
        ("get_pet", {"name": "a\\..\\b"}, ToolError.WRONG_TYPE_OR_VALUE),
        ("get_pet", {"name": ""}, ToolError.WRONG_TYPE_OR_VALUE),
        ("get_pet", {"name": "x" * 9000}, ToolError.WRONG_TYPE_OR_VALUE),
        ("get_pet", {"name": "nobody"}, ToolError.TOOL_CALL_FAILURE),
        ("echo", {"x-mood": "a\r\nhost: b"}, ToolError.WRONG_TYPE_OR_VALUE),
        ("status", {"code": 400}, ToolError.WRONG_TYPE_OR_VALUE),
        ("status", {"code": 401}, ToolError.TOOL_INSTABILITY),
        ("status", {"code": 403}, ToolError.TOOL_CALL_FAILURE),
        ("status", {"code": 409}, ToolError.TOOL_CALL_FAILURE),
        ("status", {"code": 429}, ToolError.TOOL_INSTABILITY),
        ("status", {"code": 500}, ToolError.TOOL_INSTABILITY),
        ("status", {"code": 504}, ToolError.TIMEOUT),
        ("slow", {}, ToolError.TIMEOUT),
        ("picture", {}, ToolError.TOOL_CALL_FAILURE),
        ("broken", {}, ToolError.TOOL_INSTABILITY),
        ("packed", {}, ToolError.TOOL_INSTABILITY),
        ("elsewhere", {}, ToolError.TOOL_INSTABILITY),
        ("circle", {}, ToolError.TOOL_INSTABILITY),
    ],
)
def test_every_failure_is_a_typed_error(
    api: str, name: str, arguments: dict[str, Any], expected: ToolError
) -> None:
    with offered(f"{api}/openapi.json", seconds=0.5 if name == "slow" else 10) as registry:
        reply = ask(registry, name, **arguments)
    assert code(reply) == expected, reply
    assert reply["content"].startswith("Error: ")
    assert len(reply["content"]) < 700


def test_replies_are_bounded_and_redirects_stay_at_home(api: str) -> None:
    with offered(f"{api}/openapi.json") as registry:
        large = ask(registry, "large")["content"]
        assert 65_536 < len(large) < 65_700
        assert large.endswith("longer than 65536 bytes)")
        assert json.loads(ask(registry, "moved")["content"])["name"] == "rex"
        assert json.loads(ask(registry, "get_pet", name="ann/bo")["content"])["age"] == 1


def test_a_handwritten_yaml_document(api: str, tmp_path: Path) -> None:
    document = tmp_path / "pets.yaml"
    document.write_text(HANDWRITTEN.replace("SERVER", api.removeprefix("http://")))
    with offered(f"prefix=yaml_ methods=GET,POST '{document}'") as registry:
        tool = registry.tools["yaml_find_pet"]
        assert tool.description == "Finds a pet by its name. The name has to be exact."
        assert tool.parameters["required"] == ["name"]
        assert "contains itself" in registry.unavailable["yaml_plant"]
        assert "methods=DELETE" in registry.unavailable["yaml_removePet"]
        assert json.loads(ask(registry, "yaml_find_pet", name="rex")["content"])["age"] == 3
        echo = registry.tools["yaml_get_echo"]
        properties: Any = echo.parameters["properties"]
        assert properties["colours"]["items"]["enum"] == ["red", "no", "on"]
        assert properties["X-Mood"]["type"] == ["string", "null"]
        assert "Authorization" not in properties
        reply = ask(
            registry,
            "yaml_get_echo",
            **{"colours": ["red", "on"], "where": {"a": 1}, "filter": {"b": True}, "X-Mood": "good"},
        )
        echoed = json.loads(reply["content"])
        assert echoed["query"] == "colours=red,on&where[a]=1&filter=%7B%22b%22%3A%20true%7D"
        assert echoed["headers"]["x-mood"] == "good"
        assert code(ask(registry, "yaml_get_echo", colours=["blue"])) == ToolError.WRONG_TYPE_OR_VALUE


def test_a_server_that_is_gone_is_instability(api: str, tmp_path: Path) -> None:
    document = tmp_path / "pets.json"
    document.write_text(httpx.get(f"{api}/openapi.json").text)
    with offered(f"base=http://127.0.0.1:{free_port()}/v1 {document}") as registry:
        reply = ask(registry, "get_pet", name="rex")
    assert code(reply) == ToolError.TOOL_INSTABILITY
    assert reply["content"] == "Error: get_pet: the server can't be reached"


def test_credentials_go_only_where_the_user_said(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PETS_TOKEN", TOKEN)
    with offered(f"token_env=PETS_TOKEN {api}/openapi.json") as registry:
        echoed = ask(registry, "echo")["content"]
        assert '"authorization":"Bearer ***"' in echoed
        assert code(ask(registry, "elsewhere")) == ToolError.TOOL_INSTABILITY
    document = tmp_path / "pets.yaml"
    document.write_text(HANDWRITTEN.replace("SERVER", api.removeprefix("http://")))
    with pytest.raises(InputError, match=f"needs its server named, too; if it is meant: base={api}"):
        make_registry(ToolsSettings.read(openapi=[f"token_env=PETS_TOKEN {document}"]))
    with offered(f"token_env=PETS_TOKEN base={api} {document}") as registry:
        assert "Bearer ***" in ask(registry, "get_echo")["content"]


def test_a_token_that_a_server_repeats_goes_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endpoint(request: Request) -> Response:
        sent = request.headers.get("authorization", "Bearer a-secret").removeprefix("Bearer ")
        if request.url.path == "/edge":
            return Response("x" * (65_536 - 8) + sent, media_type="text/plain")
        if request.url.path == "/kind":
            return Response("x", media_type=f"image/{sent}")
        parameter = {"name": "p", "in": "query", "description": sent, "schema": {"default": sent}}
        operations: dict[str, Any] = {
            "/edge": {"get": {"description": f"Needs {sent}.", "parameters": [parameter]}},
            "/kind": {"get": {"summary": "A picture"}},
            f"/{sent}": {"get": {"requestBody": {"$ref": f"#/{sent}"}}},
        }
        if request.url.path == "/bad.yaml":
            return Response(f"openapi: 3.1.0\npaths: *{sent}\n", media_type="text/plain")
        return JSONResponse({"openapi": "3.1.0", "paths": operations})

    monkeypatch.setenv("PETS_TOKEN", TOKEN)
    app = Starlette(routes=[Route("/{path:path}", endpoint)])
    with serving_app(app) as url:
        with offered(f"token_env=PETS_TOKEN {url}/openapi.json") as registry:
            edge, kind = ask(registry, "get_edge"), ask(registry, "get_kind")
            shown = json.dumps([registry.schemas(), registry.unavailable, edge, kind])
        with pytest.raises(InputError, match=r"neither JSON nor YAML: .*alias") as caught:
            make_registry(ToolsSettings.read(openapi=[f"token_env=PETS_TOKEN {url}/bad.yaml"]))
    assert registry.tools["get_edge"].description == "Needs ***."
    assert "***" in edge["content"]
    assert kind["content"] == "Error: get_kind replied with image/***, which is no text"
    assert "a-secret" not in shown + str(caught.value)


def bad_sources(api: str) -> dict[str, str]:
    """How a document can't be named, and what is said."""
    port = api.rpartition(":")[2]
    return {
        "absent.yaml": "absent.yaml: No such file",
        f"http://127.0.0.1:{free_port()}/openapi.json": "can't be reached",
        f"{api}/pets/nobody": "HTTP 404",
        f"{api}/pets/rex": "expected 3.0 or 3.1",
        f"{api}/large": "neither JSON nor YAML|expected an OpenAPI document",
        f"{api}/document?to=http://localhost:{port}/openapi.json": "redirects to localhost",
        f"http://user:word@127.0.0.1:{port}/openapi.json": "credentials in a URL",
        f"token_env=NOT_SET {api}/openapi.json": "NOT_SET.*environment variable",
        f"base=ftp://x {api}/openapi.json": "is not a URL",
        f"base={api}/v1?word@=1 {api}/openapi.json": "base: there is a query or fragment behind http.*/v1, ",
        f"base={api}/v1#part {api}/openapi.json": "base: there is a query or fragment",
        "query.yaml": "servers: there is a query or fragment",
        f"bse=http://x {api}/openapi.json": "unknown option 'bse'",
        f"methods=FETCH {api}/openapi.json": "methods: 'FETCH'",
        f"methods=PATCH {api}/openapi.json": "offers no tool: .*methods=GET",
        f"prefix=1 {api}/openapi.json": "prefix",
        "methods=GET": "one address",
        "'": "No closing quotation",
        "twice.yaml": "two tools have this name.*prefix=",
        "elsewhere.yaml": "names no server",
        f"{api}/static": "HTTP 404",
    }


def test_what_can_not_be_used_is_one_line(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    twice = {
        "openapi": "3.1.0",
        "servers": [{"url": api}],
        "paths": {"/x": {"get": {"operationId": "calculator"}}},
    }
    Path("twice.yaml").write_text(json.dumps(twice))
    Path("elsewhere.yaml").write_text(json.dumps(twice | {"servers": [{"url": "/v1"}]}))
    Path("query.yaml").write_text(json.dumps(twice | {"servers": [{"url": f"{api}?word@=1"}]}))
    for source, message in bad_sources(api).items():
        with pytest.raises(InputError, match=message) as caught:
            make_registry(ToolsSettings.read(openapi=[source]))
        assert "\n" not in str(caught.value), source
        assert "word@" not in str(caught.value)


def test_the_service_shows_faults_and_measures_them_like_its_own(api: str, tmp_path: Path) -> None:
    async def over_mcp(url: str) -> None:
        async with Client(f"{url}/mcp") as client:
            assert "get_pet" in {tool.name for tool in (await client.list_tools()).tools}

    plan = json.dumps({"seed": 3, "rates": {"timeout": 0.3, "tool_call_failure": 0.3}})
    calls = [
        {"id": f"c{number}", "name": "echo", "arguments": {"limit": 7_000_000 + number}}
        for number in range(60)
    ]
    source = f"token_env=PETS_TOKEN {api}/openapi.json"
    with tools_service(
        tmp_path,
        "--openapi",
        source,
        "--faults",
        plan,
        environment={"PETS_TOKEN": TOKEN, "WHETSTONE_TOOLS_DRAIN_SECONDS": "0"},
    ) as service:
        replies = httpx.post(f"{service.url}/batch", json={"calls": calls}, timeout=30).json()["replies"]
        truth = {row["call_id"]: row for row in httpx.get(f"{service.url}/faults").json()["rows"]}
        injected = Counter(row["injected"] for row in truth.values())
        assert set(injected) == {"timeout", "tool_call_failure", None}
        for reply in replies:
            row = truth[reply["call_id"]]
            assert (reply["error"]["code"] if reply["error"] else None) == row["injected"] == row["error"]
            assert row["injected"] or f"limit={7_000_000 + int(reply['call_id'][1:])}" in reply["content"]
        metrics = httpx.get(f"{service.url}/metrics").text
        assert f'calls_total{{outcome="ok",tool="echo"}} {injected[None]}.0' in metrics
        assert "methods=POST" in httpx.get(f"{service.url}/tools").json()["unavailable"]["add_pet"]
        anyio.run(over_mcp, service.url)
        assert service.stop() == 0
        log = service.log.read_text()
    assert TOKEN not in log + json.dumps(replies)
    assert "limit=" not in log
    assert "Traceback" not in log
