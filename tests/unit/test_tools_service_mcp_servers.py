"""MCP servers' tools as tools: our own service, a small one by the SDK over HTTP, and one over stdio."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from tests.foreign_api import make_api, serving_app
from tests.foreign_mcp import make_server
from tests.small_tools import free_port
from tests.tools_process import ROOT, ToolsProcess, tools_service
from tools_service.execution import Call, Executor, Reply
from tools_service.offered import make_registry
from tools_service.registry import Registry
from tools_service.remote_errors import carried_error, error_of_json_rpc
from tools_service.settings import ToolsSettings

TOKEN = "a-token-for-tests-only"
FAULTS = {"seed": 5, "rates": {"timeout": 0.2, "tool_instability": 0.2, "parse_failure": 0.2}}
COMMAND = f"prefix=small_ environment=SMALL_KEY {sys.executable} -m tests.foreign_mcp"


@contextmanager
def offered(seconds: float = 10.0, **given: Any) -> Iterator[Registry]:
    registry = make_registry(ToolsSettings.read(call_seconds=seconds, **given))
    try:
        yield registry
    finally:
        registry.close()


def ask_all(registry: Registry, calls: list[Call], seconds: float = 10.0) -> list[Reply]:
    return asyncio.run(Executor(registry, call_seconds=seconds).run(calls))


def ask(registry: Registry, name: str, /, seconds: float = 10.0, **arguments: Any) -> Reply:
    return ask_all(registry, [Call(name=name, arguments=arguments)], seconds)[0]


def code(reply: Reply) -> str | None:
    return reply["error"]["code"] if reply["error"] else None


@pytest.fixture(scope="module")
def small() -> Iterator[Registry]:
    with (
        serving_app(make_server().streamable_http_app()) as url,
        offered(mcp=[f"prefix=small_ {url}/mcp"]) as registry,
    ):
        yield registry


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    environment = {"WHETSTONE_TOOLS_TOKEN": TOKEN, "WHETSTONE_TOOLS_DRAIN_SECONDS": "0"}
    folder = tmp_path_factory.mktemp("faulty")
    with tools_service(folder, "--faults", json.dumps(FAULTS), environment=environment) as running:
        yield running


def test_schemas_come_with_the_tools(small: Registry) -> None:
    add = small.tools["small_add"]
    assert add.description == "Adds two numbers."
    assert add.parameters["required"] == ["a"]
    properties: Any = add.parameters["properties"]
    assert properties["b"] == {"type": "integer", "default": 1, "description": "the second"}
    nested: Any = small.tools["small_distance"].parameters["properties"]
    assert nested["point"]["properties"]["x"] == {"type": "integer"}
    assert "small_what_is_it" in small.tools


def test_calls_answer_or_fail_with_a_typed_error(small: Registry) -> None:
    assert ask(small, "small_add", a=2, b=3)["content"] == "5"
    assert ask(small, "small_distance", point={"x": 2, "y": -1})["content"] == "3"
    assert ask(small, "small_what_is_it")["content"] == "it"
    assert ask(small, "small_what_is_it_2")["content"] == "that"
    assert ask(small, "small_picture")["content"] == "[image/png]"
    large = ask(small, "small_large")["content"]
    assert 65_536 < len(large) < 65_700
    failures = {
        "small_refuse": (ToolError.TOOL_CALL_FAILURE, "not today"),
        "small_typed": (ToolError.WRONG_TYPE_OR_VALUE, "Error: seven is too many"),
        "small_odd_code": (ToolError.TOOL_CALL_FAILURE, "Error: bored"),
        "small_huge": (ToolError.TOOL_INSTABILITY, "broke"),
        "small_add": (ToolError.MISSING_PARAMETER, "'a'"),
    }
    for name, (expected, words) in failures.items():
        reply = ask(small, name)
        assert code(reply) == expected, reply
        assert words in reply["content"]
    assert code(ask(small, "small_add", a="2")) == ToolError.WRONG_TYPE_OR_VALUE
    assert code(ask(small, "small_add", a=2, c=1)) == ToolError.PARAMETER_HALLUCINATION
    assert code(ask(small, "small_distance", point={"y": 1})) is not None
    start = time.monotonic()
    assert code(ask(small, "small_slow", seconds=0.3)) == ToolError.TIMEOUT
    assert time.monotonic() - start < 3
    assert ask(small, "small_add", a=1)["content"] == "2"


def test_many_calls_at_once_get_their_own_answers(small: Registry) -> None:
    calls = [Call(name="small_add", arguments={"a": number}) for number in range(150)]
    replies = ask_all(small, calls, 30)
    assert [reply["content"] for reply in replies] == [str(number + 1) for number in range(150)]


def test_our_own_errors_and_faults_come_through_exactly(
    faulty: ToolsProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLS_KEY", TOKEN)
    calls = [
        Call(id=f"c{number}", name="own_calculator", arguments={"expression": f"{number}/{number % 3}"})
        for number in range(60)
    ]
    with offered(mcp=[f"prefix=own_ token_env=TOOLS_KEY {faulty.url}/mcp"]) as registry:
        replies = ask_all(registry, calls, 30)
    headers = {"authorization": f"Bearer {TOKEN}"}
    rows = httpx.get(f"{faulty.url}/faults", headers=headers).json()["rows"]
    truth = {row["arguments"]["expression"]: row for row in rows}
    for call, reply in zip(calls, replies, strict=True):
        row = truth[call.arguments["expression"]]
        assert code(reply) == row["error"]
        assert reply["content"] == row["content"]
    assert {row["injected"] for row in rows} == {*FAULTS["rates"], None}  # type: ignore[misc]
    assert "tool_call_failure" in {row["error"] for row in rows}
    assert TOKEN not in faulty.log.read_text()


def test_a_lost_server_is_instability_until_it_is_back() -> None:
    port = free_port()
    with serving_app(make_server().streamable_http_app(), port) as url:
        registry = make_registry(ToolsSettings.read(mcp=[f"{url}/mcp"]))
        assert ask(registry, "add", a=1)["content"] == "2"
    lost = ask(registry, "add", a=1)
    assert code(lost) == ToolError.TOOL_INSTABILITY
    assert lost["content"] == "Error: the connection to the server of add broke"
    assert code(ask(registry, "add", a=1)) == ToolError.TOOL_INSTABILITY
    with serving_app(make_server().streamable_http_app(), port):
        assert [ask(registry, "add", a=1)["content"] for _ in range(2)][-1] == "2"
        registry.close()


def test_a_command_is_started_restarted_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_KEY", "seen")
    monkeypatch.setenv("OTHER_KEY", "hidden")
    monkeypatch.chdir(ROOT)
    with offered(mcp_commands=[COMMAND]) as registry:
        first, key, other = ask(registry, "small_process")["content"].split()
        assert (key, other) == ("seen", "None")
        assert code(ask(registry, "small_die")) == ToolError.TOOL_INSTABILITY
        second = ask(registry, "small_process")["content"].split()[0]
        assert second != first
        assert psutil.pid_exists(int(second))
    assert not psutil.pid_exists(int(first))
    assert not psutil.pid_exists(int(second))


def test_what_can_not_be_used_is_one_line(small: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_KEY", "x")
    with serving_app(make_api()) as api, serving_app(make_server().streamable_http_app()) as url:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"mcp": [f"http://127.0.0.1:{free_port()}/mcp"]}, r"mcp http://127.*expected an MCP server"),
            ({"mcp": [f"{api}/pets/rex"]}, "expected an MCP server"),
            ({"mcp": ["ftp://127.0.0.1/mcp"]}, "is not a URL"),
            ({"mcp": ["base=x http://127.0.0.1/mcp"]}, "unknown option 'base'"),
            ({"mcp": [f"{url}/mcp", f"{url}/mcp"]}, "two tools have this name.*prefix="),
            ({"mcp_commands": ["no-such-command --key 7"]}, "mcp command no-such-command: .*No such file"),
            ({"mcp_commands": [f"{sys.executable} -c pass"]}, "Connection closed"),
            ({"mcp_commands": ["environment=NOT_SET python"]}, "NOT_SET"),
            ({"mcp_commands": ["python 'x"]}, "No closing quotation"),
            ({"mcp_commands": [""]}, "expected one address"),
        ]
        for given, message in cases:
            with pytest.raises(InputError, match=message) as caught:
                make_registry(ToolsSettings.read(**given))
            assert "\n" not in str(caught.value)


def test_the_service_takes_servers_from_flags_and_environment(tmp_path: Path) -> None:
    with serving_app(make_server().streamable_http_app()) as url:
        environment = {
            "WHETSTONE_TOOLS_MCP_COMMANDS": json.dumps(
                [COMMAND.replace("SMALL_KEY", "SMALL_KEY,PYTHONPATH")]
            ),
            "SMALL_KEY": "seen",
            "WHETSTONE_TOOLS_DRAIN_SECONDS": "0",
        }
        with tools_service(tmp_path, "--mcp", f"{url}/mcp", environment=environment) as service:
            calls = [
                {"name": "add", "arguments": {"a": 1}},
                {"name": "small_add", "arguments": {"a": 2}},
                {"name": "small_refuse", "arguments": {}},
                {"name": "small_process", "arguments": {}},
            ]
            replies = httpx.post(f"{service.url}/batch", json={"calls": calls}, timeout=30).json()["replies"]
            assert [reply["content"] for reply in replies[:2]] == ["2", "3"]
            assert replies[2]["error"]["code"] == ToolError.TOOL_CALL_FAILURE
            child = int(replies[3]["content"].split()[0])
            metrics = httpx.get(f"{service.url}/metrics").text
            assert 'calls_total{outcome="tool_call_failure",tool="small_refuse"} 1.0' in metrics
            assert psutil.pid_exists(child)
            assert service.stop() == 0
        assert not psutil.pid_exists(child)
        assert "Traceback" not in service.log.read_text()


def test_codes_by_hand() -> None:
    assert error_of_json_rpc(-32602) == ToolError.WRONG_TYPE_OR_VALUE
    assert error_of_json_rpc(-32603) == ToolError.TOOL_INSTABILITY
    assert error_of_json_rpc(-32601) == ToolError.TOOL_INSTABILITY
    assert error_of_json_rpc(-32001) == ToolError.TIMEOUT
    assert error_of_json_rpc(7) == ToolError.TOOL_CALL_FAILURE
    assert carried_error({"error": {"code": "timeout", "message": "m"}}) == (ToolError.TIMEOUT, "m")
    others: list[object] = [None, [], {}, {"error": "x"}, {"error": {"code": "x", "message": "m"}}]
    others += [{"error": {"code": [1]}}, {"error": {"code": "timeout"}}]
    assert [carried_error(other) for other in others] == [None] * len(others)
