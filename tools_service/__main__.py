"""`python -m tools_service --port P --corpus FILE`: serves the tools until it is told to stop."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from components.contracts.errors import InputError
from tools_service.app import make_app
from tools_service.observer import ServiceState
from tools_service.offered import make_registry
from tools_service.server import serve
from tools_service.settings import ToolsSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves; 0 after a signal, 1 with one line on standard error when something given can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m tools_service",
        description="Serves the tools over HTTP. All settings: environment variables WHETSTONE_TOOLS_*.",
    )
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="0 takes a free one and prints it")
    parser.add_argument("--corpus", help="a file or s3:// with id, title and text: .jsonl or .jsonl.gz")
    parser.add_argument("--index", help="a published index instead of a corpus: a folder or s3://")
    parser.add_argument("--retriever", choices=("bm25", "dense"))
    parser.add_argument("--encoder", help="dense: the sentence-embedding model")
    parser.add_argument("--translator", help="seq2seq model: a folder or hf://")
    parser.add_argument("--tool", action="append", dest="tools", help="one more: package.module:function")
    parser.add_argument(
        "--openapi", action="append", help="a document's operations: [option=value ...] file or URL"
    )
    parser.add_argument("--mcp", action="append", help="an MCP server's tools: [option=value ...] URL")
    parser.add_argument(
        "--mcp-command",
        action="append",
        dest="mcp_commands",
        help="the same, started here: [option=value ...] command",
    )
    parser.add_argument(
        "--stand-ins", type=Path, help="JSON array of tool schemas, or a question set, to stand in for"
    )
    parser.add_argument("--faults", help='inject faults: {"seed": 7, "rates": {"timeout": 0.1}}')
    parser.add_argument("--faults-log", type=Path, help="JSONL file for the truth about injected faults")
    given = parser.parse_args(arguments)
    try:
        settings = ToolsSettings.read(**vars(given))
        state = ServiceState()
        registry = make_registry(settings)
        try:
            serve(make_app(settings, registry, state), settings, state)
        finally:
            registry.close()
    except InputError as error:
        print(f"tools service: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
