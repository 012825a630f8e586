"""The real tools service over three passages, for tests that only need some service (not a test)."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.tools_process import ToolsProcess, tools_service

PASSAGES = [
    {"id": 1, "title": "Vellmora", "text": "Vellmora is a town in the hills; its river is the Tessin."},
    {
        "id": 2,
        "title": "Orlin",
        "text": "Orlin is a harbour on the northern coast, known for its lighthouse.",
    },
    {"id": 3, "title": "Quartz", "text": "Quartz is a mineral of silicon and oxygen."},
]


@contextmanager
def small_tools(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[ToolsProcess]:
    """Start it with its corpus in `folder`; it ends with the block."""
    corpus = folder / "passages.jsonl"
    corpus.write_text("".join(json.dumps(passage) + "\n" for passage in PASSAGES), encoding="utf-8")
    with tools_service(folder, "--corpus", str(corpus), environment=environment) as running:
        yield running


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
