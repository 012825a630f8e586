"""Tools that a user adds by naming an OpenAPI document or an MCP server."""

from tools_service.logs import keep_libraries_quiet
from tools_service.mcp_tools import add_server
from tools_service.openapi_tools import add_document
from tools_service.registry import Registry
from tools_service.remote_loop import RemoteLoop
from tools_service.remote_sources import parse_source
from tools_service.settings import ToolsSettings


def add_remote_tools(registry: Registry, settings: ToolsSettings) -> None:
    """Connects to all that the settings name and adds their tools; `registry.close()` ends the connections.

    Raises:
        InputError: one can't be used, with its name and the reason.
    """
    sources = [
        parse_source(kind, text)
        for kind, texts in (
            ("openapi", settings.openapi),
            ("mcp", settings.mcp),
            ("mcp command", settings.mcp_commands),
        )
        for text in texts
    ]
    if not sources:
        return
    keep_libraries_quiet()
    loop = RemoteLoop()
    registry.on_close(loop.close)
    for source in sources:
        add = add_document if source.kind == "openapi" else add_server
        add(registry, loop, source, settings.call_seconds)
