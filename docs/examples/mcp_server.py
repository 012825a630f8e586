"""An MCP server of one's own, over stdio: `python -m tools_service --mcp-command "python docs/examples/mcp_server.py"`."""

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

LOANS = {"Dune": "back on Friday", "Emma": "on the shelf", "Ulysses": "on the shelf"}

server: MCPServer[None] = MCPServer("library")


@server.tool()
def find_book(title: str) -> str:
    """Says whether the library has a book, and where it is."""
    if title not in LOANS:
        raise ToolError(f"the library has no book {title}")
    return LOANS[title]


@server.tool()
def count_books(on_the_shelf: bool = False) -> int:
    """Counts the library's books, or only those on the shelf."""
    return sum(where == "on the shelf" or not on_the_shelf for where in LOANS.values())


if __name__ == "__main__":
    server.run()
