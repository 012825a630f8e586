"""The registry as an MCP server (official SDK, streamable HTTP, stateless, JSON replies)."""

from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from tools_service.execution import Call, Executor
from tools_service.settings import ToolsSettings, is_loopback


def make_session_manager(executor: Executor, settings: ToolsSettings) -> StreamableHTTPSessionManager:
    """An MCP server over the executor's registry; its `run()` belongs into the application's lifespan."""

    async def list_tools(
        _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=tool.name, description=tool.description, input_schema=tool.parameters)
                for tool in executor.registry.tools.values()
            ]
        )

    async def call_tool(
        _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        (reply,) = await executor.run([Call(name=params.name, arguments=params.arguments or {})])
        error = reply["error"]
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=reply["content"])],
            structured_content={"error": {**error}} if error else None,
            is_error=error is not None,
        )

    server: Server[Any] = Server("whetstone-tools", on_list_tools=list_tools, on_call_tool=call_tool)
    return StreamableHTTPSessionManager(
        app=server,
        json_response=True,
        stateless=True,
        security_settings=_guard_against_rebinding(settings),
        max_request_body_size=settings.max_body_bytes,
    )


def make_mcp_app(manager: StreamableHTTPSessionManager) -> StreamableHTTPASGIApp:
    """The ASGI application to route /mcp to."""
    return StreamableHTTPASGIApp(manager)


def _guard_against_rebinding(settings: ToolsSettings) -> TransportSecuritySettings | None:
    """On loopback only loopback names are answered; elsewhere the bearer token guards."""
    if not is_loopback(settings.host):
        return None
    names = ["127.0.0.1:*", "localhost:*", "[::1]:*"]
    return TransportSecuritySettings(
        allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names]
    )
