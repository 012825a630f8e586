"""MCP servers that repeat credentials, never finish their list of tools, or say too much at once."""

import asyncio
import json
import logging
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from tests.foreign_api import serving_app
from tests.tools_process import ROOT
from tools_service import mcp_session, mcp_transports
from tools_service.__main__ import main
from tools_service.execution import Call, Executor, Reply
from tools_service.offered import make_registry
from tools_service.registry import Registry
from tools_service.settings import ToolsSettings

TOKEN = 'a-"token\\for-tests-only'
ANY: dict[str, Any] = {"type": "object", "properties": {}}
Page = Callable[[str | None], Any]


@contextmanager
def offered(**given: Any) -> Iterator[Registry]:
    registry = make_registry(ToolsSettings.read(call_seconds=10.0, **given))
    try:
        yield registry
    finally:
        registry.close()


def ask(registry: Registry, name: str) -> Reply:
    (reply,) = asyncio.run(Executor(registry, call_seconds=20).run([Call(name=name, arguments={})]))
    return reply


def listing(page: Page, call: Callable[[str], types.CallToolResult] | None = None) -> Any:
    """A server of the SDK's whose list of tools is made by `page` from a cursor; call: by a tool's name."""

    async def list_tools(
        _context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        made = page(params.cursor if params else None)
        listed: types.ListToolsResult = await made if asyncio.iscoroutine(made) else made
        return listed

    async def call_tool(
        _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        assert call is not None
        return call(params.name)

    return Server("odd", on_list_tools=list_tools, on_call_tool=call_tool).streamable_http_app()


def tool(name: str) -> types.Tool:
    return types.Tool(name=name, description=name, input_schema=ANY)


def echo(name: str) -> types.CallToolResult:
    """Repeats the token wherever a result can hold text."""
    text: list[Any] = [types.TextContent(type="text", text=f"Error: you sent Bearer {TOKEN}")]
    if name == "typed":
        error = {"code": "wrong_type_or_value", "message": f"not with Bearer {TOKEN}"}
        return types.CallToolResult(content=text, structured_content={"error": error}, is_error=True)
    if name == "structured":
        return types.CallToolResult(content=[], structured_content={TOKEN: [f"Bearer {TOKEN}"]})
    if name == "edge":
        edge = types.TextContent(type="text", text="x" * (65_536 - 8) + TOKEN)
        return types.CallToolResult(content=[edge])
    if name == "protocol":
        raise MCPError(code=7, message=f"no: {TOKEN}")
    return types.CallToolResult(content=text, is_error=name == "untyped")


def test_a_token_that_a_server_repeats_goes_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("typed", "untyped", "plain", "structured", "edge", "protocol")

    def page(_cursor: str | None) -> types.ListToolsResult:
        schema = {
            "type": "object",
            "properties": {"x": {"type": "string", "description": f"as {TOKEN}", "default": TOKEN}},
        }
        odd = [
            types.Tool(name="described", description=f"Needs Bearer {TOKEN}", input_schema=schema),
            types.Tool(name="titled", title=f"With {TOKEN}", input_schema=ANY),
            types.Tool(
                name="left_out", description="x", input_schema=ANY | {"properties": {"p": {"$ref": TOKEN}}}
            ),
        ]
        return types.ListToolsResult(tools=[*map(tool, names), *odd])

    monkeypatch.setenv("ODD_KEY", TOKEN)
    with serving_app(listing(page, echo)) as url, offered(mcp=[f"token_env=ODD_KEY {url}/mcp"]) as registry:
        replies = {name: ask(registry, name) for name in names}
        shown = json.dumps([registry.schemas(), registry.unavailable, replies])
    assert replies["typed"]["error"] == {
        "code": ToolError.WRONG_TYPE_OR_VALUE,
        "message": "not with Bearer ***",
    }
    assert registry.tools["described"].description == "Needs Bearer ***"
    assert registry.tools["titled"].description == "With ***"
    assert replies["structured"]["content"] == '{"***": ["Bearer ***"]}'
    assert "left_out" in registry.unavailable
    assert "for-tests" not in shown
    assert 'a-\\"tok' not in shown
    assert "***" in replies["edge"]["content"]


def test_a_token_in_the_reason_of_a_failed_start_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def page(_cursor: str | None) -> types.ListToolsResult:
        raise MCPError(code=7, message="x" * 195 + TOKEN)

    monkeypatch.setenv("ODD_KEY", TOKEN)
    with (
        serving_app(listing(page)) as url,
        pytest.raises(InputError, match=r"x\*\*\*; expected an MCP server"),
    ):
        make_registry(ToolsSettings.read(mcp=[f"token_env=ODD_KEY {url}/mcp"]))


def test_a_list_that_never_comes_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def never(_cursor: str | None) -> types.ListToolsResult:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(mcp_session, "OPEN_SECONDS", 1.0)
    monkeypatch.chdir(tmp_path)
    start = time.monotonic()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with serving_app(listing(lambda cursor: never(cursor))) as url:
        assert main(["--port", "0", "--mcp", f"{url}/mcp"]) == 1
    root.handlers, root.level = handlers, level
    assert time.monotonic() - start < 20
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "listed" in line]
    assert "its tools were not listed within 1 seconds; expected an MCP server" in line


@pytest.mark.parametrize(
    ("following", "message"),
    [
        (lambda cursor: str(int(cursor or 0) + 1), "more than 100 pages"),
        (lambda cursor: "again", "leads back to an earlier one"),
        (lambda cursor: {None: "a", "a": "b"}.get(cursor, "a"), "leads back to an earlier one"),
    ],
)
def test_a_list_without_an_end_is_one_line(following: Callable[[Any], str], message: str) -> None:
    def page(cursor: str | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool(f"t{cursor}")], next_cursor=following(cursor))

    with serving_app(listing(page)) as url, pytest.raises(InputError, match=message) as caught:
        make_registry(ToolsSettings.read(mcp=[f"{url}/mcp"]))
    assert "\n" not in str(caught.value)


def test_a_list_of_many_pages_is_read_to_its_end() -> None:
    def page(cursor: str | None) -> types.ListToolsResult:
        number = int(cursor or 0)
        return types.ListToolsResult(
            tools=[tool(f"t{number}")], next_cursor=str(number + 1) if number < 99 else None
        )

    with serving_app(listing(page)) as url, offered(mcp=[f"{url}/mcp"]) as registry:
        assert [name for name in registry.tools if name.startswith("t")] == [f"t{n}" for n in range(100)]


def streaming(size: int, *, packed: bool = False) -> Any:
    """A server by hand, whose one tool replies in a stream: small events first, then one of `size` bytes."""

    async def events(number: Any) -> AsyncIterator[bytes]:
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
        for _ in range(3):
            yield b": still here\n\n" + b"data: " + json.dumps(note).encode() + b"\n\n"
        result = {"content": [{"type": "text", "text": "end"}], "_meta": {"x": "y" * size}}
        text = json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode()
        for start in range(0, len(text), 65_536):
            yield (b"" if start else b"data: ") + text[start : start + 65_536]
        yield b"\n\n"

    async def endpoint(request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405)
        message = await request.json()
        number, method = message.get("id"), message["method"]
        if method == "tools/call":
            if packed:
                return Response(
                    b"\x1f\x8b", headers={"content-encoding": "gzip"}, media_type="text/event-stream"
                )
            return StreamingResponse(events(number), media_type="text/event-stream")
        answers: dict[str, Any] = {
            "initialize": {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "by hand", "version": "1"},
            },
            "tools/list": {"tools": [{"name": "say", "description": "Says.", "inputSchema": ANY}]},
        }
        if number is None:
            return Response(status_code=202)
        if method not in answers:
            error = {"code": -32601, "message": "no such method"}
            return JSONResponse({"jsonrpc": "2.0", "id": number, "error": error})
        return JSONResponse({"jsonrpc": "2.0", "id": number, "result": answers[method]})

    return Starlette(routes=[Route("/mcp", endpoint, methods=["GET", "POST", "DELETE"])])


@pytest.mark.parametrize(
    ("size", "packed", "expected"),
    [
        (10, False, None),
        (3 << 20, False, None),  # what a reply without events may have, too
        (9 << 20, False, ToolError.TOOL_INSTABILITY),
        (10, True, ToolError.TOOL_INSTABILITY),
    ],
)
def test_one_event_of_a_stream_is_bounded(size: int, packed: bool, expected: ToolError | None) -> None:
    with serving_app(streaming(size, packed=packed)) as url, offered(mcp=[f"{url}/mcp"]) as registry:
        start = time.monotonic()
        reply = ask(registry, "say")
        assert time.monotonic() - start < 8
    assert (reply["error"]["code"] if reply["error"] else None) == expected
    assert expected or reply["content"] == "end"


SPEAKER = """
import json, sys
if sys.argv[1] == "at once":
    while True:
        sys.stdout.write("x" * 65536)
for line in sys.stdin:
    message = json.loads(line)
    number, method = message.get("id"), message["method"]
    if number is None:
        continue
    result = error = None
    if method == "initialize":
        info = {"name": "by hand", "version": "1"}
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    elif method == "tools/list":
        tools = [{"name": n, "description": n, "inputSchema": {"type": "object"}} for n in ("say", "flood")]
        result = {"tools": tools}
    elif method == "tools/call" and message["params"]["name"] == "flood":
        while True:
            sys.stdout.write("x" * 65536)
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": "end"}], "_meta": {"x": "y" * (3 << 20)}}
    else:
        error = {"code": -32601, "message": "no such method"}
    body = {"error": error} if error else {"result": result}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": number, **body}) + "\\n")
    sys.stdout.flush()
"""


def test_one_line_of_a_command_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "speaker.py").write_text(SPEAKER)
    monkeypatch.chdir(ROOT)
    command = f"{sys.executable} {tmp_path}/speaker.py"
    with offered(mcp_commands=[f"{command} calls"]) as registry:
        for _ in range(2):  # the session that broke is opened again
            assert ask(registry, "say")["content"] == "end"
            tracemalloc.start()
            flooded = ask(registry, "flood")
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert flooded["error"] is not None
            assert flooded["error"]["code"] == ToolError.TOOL_INSTABILITY
            assert peak < 4 * mcp_transports.MAX_MESSAGE_BYTES
    start = time.monotonic()
    with pytest.raises(InputError, match="expected an MCP server"):
        make_registry(ToolsSettings.read(mcp_commands=[f"{command} 'at once'"]))
    assert time.monotonic() - start < 20
