"""The tools of an MCP server as tools of this service: its schemas, its replies, its typed errors."""

import json
from functools import partial
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from tools_service.failures import ToolFailure
from tools_service.foreign_schemas import ForeignSchemas, Unsupported, object_schema, short_text
from tools_service.mcp_session import ConnectionLost, McpSession, NotListed, described
from tools_service.mcp_transports import command_transport, http_transport
from tools_service.openapi_operations import safe_name, unique_name
from tools_service.registry import Registry
from tools_service.remote_errors import carried_error, error_of_json_rpc
from tools_service.remote_loop import RemoteLoop
from tools_service.remote_sources import (
    RemoteSource,
    hide_in_value,
    hide_token,
    parse_url,
    read_environment,
)
from tools_service.schema_tools import make_schema_tool

MAX_REPLY = 64 << 10  # characters
MAX_TOOLS = 5_000


def add_server(registry: Registry, loop: RemoteLoop, source: RemoteSource, seconds: float) -> None:
    """Connects to an MCP server and adds its tools; those that can't be offered with the reason.

    seconds: how long one call may take.

    Raises:
        InputError: no connection, no tools, or a name is taken.
    """
    if source.kind == "mcp command":
        transport = command_transport(source.words, read_environment(source))
    else:
        url = str(parse_url(source.address, source.kind))
        transport = http_transport(url, source.token, seconds)

    async def connect() -> tuple[McpSession, list[types.Tool]]:
        session = McpSession(transport, source.token)
        loop.on_close(session.close)
        return session, await session.list_tools()

    try:
        session, tools = loop.run_now(connect)
    except (ConnectionLost, NotListed, MCPError) as error:
        raise InputError(
            f"{source.shown}: {described(error, source.token)}; expected an MCP server"
        ) from None
    server = McpServer(loop, session, source.token)
    if not tools or len(tools) > MAX_TOOLS:
        raise InputError(f"{source.shown}: {len(tools)} tools; expected 1 to {MAX_TOOLS}")
    taken: set[str] = set()
    for tool in tools:
        name = unique_name(safe_name(hide_token(tool.name, source.token), source.prefix), taken)
        try:
            parameters = _parameters(hide_in_value(tool.input_schema, source.token))
        except (Unsupported, RecursionError) as reason:
            registry.leave_out(name, str(reason))
            continue
        description = short_text(hide_token(tool.description or tool.title or tool.name, source.token))
        function = partial(server.call, tool.name)
        try:
            registry.add_tool(make_schema_tool(name, description, parameters, function))
        except InputError as error:
            raise InputError(f"{source.shown}: {error}; a prefix=... tells tools apart") from None


class McpServer:
    """Calls one server's tools from whatever event loop the service runs in."""

    def __init__(self, loop: RemoteLoop, session: McpSession, token: str) -> None:
        self._loop = loop
        self._session = session
        self._token = token

    async def call(self, tool: str, /, **arguments: JsonValue) -> str:
        """The reply's text, cut after MAX_REPLY characters.

        Raises:
            ToolFailure: the server's own typed error where it sends one, else `tool_call_failure`; errors of
                the protocol by their code; `tool_instability` when the connection broke.
        """
        try:
            result = await self._loop.run(partial(self._session.call, tool, arguments))
        except ConnectionLost:
            raise ToolFailure(
                ToolError.TOOL_INSTABILITY, f"the connection to the server of {tool} broke"
            ) from None
        except MCPError as error:
            message = hide_token(str(error.message), self._token)
            raise ToolFailure(error_of_json_rpc(error.code), short_text(message)) from None
        text = _text(result, self._token)
        if not result.is_error:
            return text
        if (carried := carried_error(result.structured_content)) is not None:
            category, message = carried
            raise ToolFailure(category, hide_token(message, self._token), content=text)
        raise ToolFailure(ToolError.TOOL_CALL_FAILURE, short_text(text).removeprefix("Error: "))


def _parameters(schema: Any) -> dict[str, JsonValue]:
    plain = ForeignSchemas(schema).read(schema)
    return object_schema(plain.get("properties") or {}, plain.get("required") or [])


def _text(result: types.CallToolResult, token: str) -> str:
    """What the model can read of a result; cut when the token is hidden, so that no half of it is left."""
    pieces: list[str] = []
    size = 0
    for block in result.content:
        if isinstance(block, types.TextContent):
            piece = block.text
        elif isinstance(block, types.EmbeddedResource) and isinstance(
            block.resource, types.TextResourceContents
        ):
            piece = block.resource.text
        else:
            piece = f"[{getattr(block, 'mime_type', None) or block.type}]"
        pieces.append(piece)
        size += len(piece)
        if size > MAX_REPLY:
            break
    if not pieces and result.structured_content is not None:
        pieces = [json.dumps(result.structured_content, ensure_ascii=False)]
    text = hide_token("\n".join(pieces), token)
    if len(text) > MAX_REPLY:
        text = f"{text[:MAX_REPLY]} ... (cut: the reply is longer than {MAX_REPLY} characters)"
    return text or "done"
