"""A small MCP server made with the official SDK; `python -m tests.foreign_mcp` speaks over stdio (not a test)."""

import asyncio
import os
from typing import Annotated, Any

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, Field


class Point(BaseModel):
    """A place."""

    x: int
    y: int = 0


def make_server() -> MCPServer[Any]:
    """Its tools: some answer, some fail in each way that a tool can."""
    server: MCPServer[Any] = MCPServer("small")

    @server.tool()
    def add(a: int, b: Annotated[int, Field(description="the second")] = 1) -> int:
        """Adds two numbers."""
        return a + b

    @server.tool()
    def distance(point: Point) -> str:
        """How far a point is, in steps."""
        return str(abs(point.x) + abs(point.y))

    @server.tool()
    def refuse() -> str:
        """Says no."""
        raise ToolError("not today")

    @server.tool()
    def typed() -> CallToolResult:
        """Says no in the words of the taxonomy."""
        error = {"code": "wrong_type_or_value", "message": "seven is too many"}
        text = TextContent(type="text", text="Error: seven is too many")
        return CallToolResult(content=[text], structured_content={"error": error}, is_error=True)

    @server.tool()
    def odd_code() -> CallToolResult:
        """Says no in words that nobody knows."""
        error = {"code": "boredom", "message": "no"}
        text = TextContent(type="text", text="bored")
        return CallToolResult(content=[text], structured_content={"error": error}, is_error=True)

    @server.tool()
    async def slow() -> str:
        """Waits."""
        await asyncio.sleep(5)
        return "late"

    @server.tool()
    def picture() -> Image:
        """Paints."""
        return Image(data=b"\x89PNG", format="png")

    @server.tool()
    def large() -> str:
        """Says a lot."""
        return "x" * 200_000

    @server.tool()
    def huge() -> str:
        """Says more than anybody can take."""
        return "x" * 20_000_000

    @server.tool(name="what is/it")
    def odd_name() -> str:
        """Has a name that is no tool's."""
        return "it"

    @server.tool(name="what_is_it")
    def same_name() -> str:
        """Has the name that the one before is given."""
        return "that"

    @server.tool()
    def process() -> str:
        """Its process, and what it can see of the environment."""
        return f"{os.getpid()} {os.environ.get('SMALL_KEY')} {os.environ.get('OTHER_KEY')}"

    @server.tool()
    def die() -> str:
        """Ends the process."""
        os._exit(3)

    return server


if __name__ == "__main__":
    asyncio.run(make_server().run_stdio_async())
