"""The service as its clients see it: a real process on a loopback port."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from components.contracts.tool_errors import ToolError
from tests.small_tools import small_tools
from tests.tools_process import ToolsProcess, tools_service

TOKEN = "a-token-for-tests-only"
HTTP = httpx.Client(timeout=30, trust_env=False)  # one for all: making a client takes longer than a call
MORE_TOOLS = '''
import asyncio, time

def slow(seconds: float) -> str:
    """Waits on a worker thread."""
    time.sleep(seconds)
    return f"waited {seconds}"

async def patient(seconds: float = 0.01) -> str:
    """Waits on the event loop.

    Args:
        seconds: how long
    """
    await asyncio.sleep(seconds)
    return "done"

def broken() -> str:
    """Crashes."""
    raise RuntimeError("a secret detail")

def odd() -> str:
    """Replies with text that is not valid Unicode."""
    return "half a pair: \\ud800"
'''


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    with small_tools(tmp_path_factory.mktemp("tools")) as running:
        yield running


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    folder = tmp_path_factory.mktemp("extended")
    (folder / "more_tools.py").write_text(MORE_TOOLS)
    names = [f"--tool=more_tools:{name}" for name in ("slow", "patient", "broken", "odd")]
    with tools_service(folder, *names, environment={"WHETSTONE_TOOLS_CALL_SECONDS": "0.5"}) as running:
        yield running


def call(service: ToolsProcess, name: str, **arguments: object) -> dict[str, object]:
    """The reply to one call."""
    response = HTTP.post(f"{service.url}/tools/{name}", json={"arguments": arguments})
    assert response.status_code == 200, response.text
    reply: dict[str, object] = response.json()
    return reply


def code(reply: dict[str, object]) -> str | None:
    """The category of a reply's error."""
    error = reply["error"]
    return error["code"] if isinstance(error, dict) else None


def test_tools_are_listed_in_the_openai_form_and_the_missing_with_a_reason(service: ToolsProcess) -> None:
    listed = HTTP.get(f"{service.url}/tools").json()
    functions = {tool["function"]["name"]: tool["function"] for tool in listed["tools"]}
    assert set(functions) >= {"calculator", "wikipedia_search"}
    assert functions["wikipedia_search"]["parameters"]["required"] == ["query"]
    assert functions["calculator"]["parameters"]["properties"]["expression"]["type"] == "string"
    assert "machine_translator" in functions or "apertium" in listed["unavailable"]["machine_translator"]


def test_calls_reply_with_content_or_a_typed_error(service: ToolsProcess) -> None:
    assert call(service, "calculator", expression="2 * 21")["content"] == "42"
    found = call(service, "wikipedia_search", query="a river of Vellmora")
    assert str(found["content"]).startswith("Vellmora: Vellmora is a town")
    failures = {
        ToolError.TOOL_HALLUCINATION: call(service, "no_such_tool", x=1),
        ToolError.PARAMETER_HALLUCINATION: call(service, "calculator", expression="1", precision=3),
        ToolError.MISSING_PARAMETER: call(service, "calculator"),
        ToolError.WRONG_TYPE_OR_VALUE: call(service, "calculator", expression=3),
        ToolError.TOOL_CALL_FAILURE: call(service, "wikipedia_search", query="xyzzy"),
    }
    for expected, reply in failures.items():
        assert code(reply) == expected
        assert str(reply["content"]).startswith("Error: ")


def test_a_batch_replies_in_order_with_the_ids(service: ToolsProcess) -> None:
    calls = [
        {"id": f"c{number}", "name": "calculator", "arguments": {"expression": f"{number}/2"}}
        for number in range(300)
    ]
    calls[7] = {"id": "c7", "name": "wikipedia_search", "arguments": {"query": "quartz"}}
    replies = HTTP.post(f"{service.url}/batch", json={"calls": calls}).json()["replies"]
    assert [reply["call_id"] for reply in replies] == [f"c{number}" for number in range(300)]
    assert replies[7]["content"].startswith("Quartz: ")
    assert replies[11]["content"] == "5.5"
    assert HTTP.post(f"{service.url}/batch", json={"calls": []}).json() == {"replies": []}
    assert HTTP.post(f"{service.url}/batch", json={"calls": calls * 4}).status_code == 422


def test_health_metrics_and_logs(service: ToolsProcess) -> None:
    call(service, "calculator", expression="1/0")
    assert HTTP.get(f"{service.url}/healthz").json() == {"status": "ok"}
    assert HTTP.get(f"{service.url}/readyz").json() == {"status": "ready"}
    metrics = HTTP.get(f"{service.url}/metrics").text
    assert 'whetstone_tools_calls_total{outcome="tool_call_failure",tool="calculator"}' in metrics
    assert 'whetstone_tools_requests_total{route="/tools/{name}",status="200"}' in metrics
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert any(line["message"] == "request" and line["path"] == "/tools/calculator" for line in lines)
    assert "1/0" not in service.log.read_text()


def test_bad_bodies_are_4xx_with_a_reason(service: ToolsProcess) -> None:
    deep = b'{"arguments": {"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}"
    bodies = [b"", b"{", b"[]", b"nonsense", b'{"arguments": {"a": NaN}}', b'{"arguments": 3}', deep]
    bodies += [b'{"arguments": {"a": "\\ud800"}}', b"\xff\xfe", b'{"other": 1}', b"9" * 5000]
    for body in bodies:
        response = HTTP.post(
            f"{service.url}/tools/calculator", content=body, headers={"content-type": "application/json"}
        )
        assert response.status_code in (400, 422), body[:40]
        assert response.json()["detail"]
    plain = HTTP.post(
        f"{service.url}/batch", content=b'{"calls": []}', headers={"content-type": "text/plain"}
    )
    assert plain.status_code == 422  # a web page can't send JSON here without asking first


def test_documentation_loads_nothing_from_elsewhere(service: ToolsProcess) -> None:
    assert HTTP.get(f"{service.url}/docs").status_code == 404
    assert "/batch" in HTTP.get(f"{service.url}/openapi.json").json()["paths"]


def test_a_users_functions_become_tools(extended: ToolsProcess) -> None:
    listed = HTTP.get(f"{extended.url}/tools").json()
    functions = {tool["function"]["name"]: tool["function"] for tool in listed["tools"]}
    parameters = functions["patient"]["parameters"]
    assert parameters["properties"]["seconds"] == {
        "type": "number",
        "default": 0.01,
        "description": "how long",
    }
    assert functions["slow"]["parameters"]["required"] == ["seconds"]
    assert "wikipedia_search" in listed["unavailable"]
    assert call(extended, "patient")["content"] == "done"
    assert call(extended, "slow", seconds=0.05)["content"] == "waited 0.05"


def test_hanging_crashing_and_odd_tools_end_in_typed_replies(extended: ToolsProcess) -> None:
    assert code(call(extended, "slow", seconds=1.5)) == ToolError.TIMEOUT
    assert code(call(extended, "patient", seconds=60)) == ToolError.TIMEOUT
    crashed = call(extended, "broken")
    assert code(crashed) == ToolError.TOOL_INSTABILITY
    assert "secret" not in str(crashed)
    assert str(call(extended, "odd")["content"]).startswith("half a pair: ")


def test_slow_calls_of_a_batch_run_at_the_same_time(extended: ToolsProcess) -> None:
    calls = [{"name": "patient", "arguments": {"seconds": 0.3}} for _ in range(50)]
    response = HTTP.post(f"{extended.url}/batch", json={"calls": calls})
    assert response.elapsed.total_seconds() < 5  # one after the other they take 15
    assert all(reply["content"] == "done" for reply in response.json()["replies"])


def test_concurrent_clients_get_their_own_answers(service: ToolsProcess) -> None:
    def ask(number: int) -> bool:
        return call(service, "calculator", expression=f"{number} * 3")["content"] == str(number * 3)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(80)))


def test_the_sdks_own_mcp_client_lists_and_calls(tmp_path: Path) -> None:
    async def talk(url: str) -> None:
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            listed = await client.list_tools()
            assert "calculator" in {tool.name for tool in listed.tools}
            assert listed.tools[0].input_schema["required"] == ["expression"]
            good = await client.call_tool("calculator", {"expression": "6 * 7"})
            assert not good.is_error
            assert isinstance(good.content[0], TextContent)
            assert good.content[0].text == "42"
            bad = await client.call_tool("calculator", {"expression": "1/0"})
            assert bad.is_error
            assert bad.structured_content is not None
            assert bad.structured_content["error"]["code"] == ToolError.TOOL_CALL_FAILURE

    with tools_service(tmp_path, environment={"WHETSTONE_TOOLS_TOKEN": TOKEN}) as running:
        anyio.run(talk, running.url)
        assert HTTP.post(f"{running.url}/mcp", json={}).status_code == 401


def test_schemathesis_finds_no_5xx_and_nothing_undocumented(service: ToolsProcess) -> None:
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]
        modes = [operation.as_strategy(mode) for mode in GenerationMode] if operation.body else []
        count = 220 if operation.body else 12

        @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @seed(7)
        @given(case=st.one_of(*(modes or [operation.as_strategy()])))
        def try_cases(case: schemathesis.Case[Any]) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(checks=checks, timeout=30)

        try_cases()
    assert tried >= 400
