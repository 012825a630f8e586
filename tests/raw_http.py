"""HTTP on bare sockets, for tests that send what no client library sends (not a test)."""

import json
import socket
from collections.abc import Mapping


def post(path: str, body: bytes | object, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole POST request; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in (lines | dict(headers or {})).items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


def read_response(connection: socket.socket) -> tuple[int, bytes, bytes]:
    """Status, head and body of one response with a content-length; (0, b"", b"") at its end."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        more = connection.recv(1 << 18)
        if not more:
            return 0, b"", b""
        data += more
    head = data[:end].lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    body = data[end + 4 :]
    while len(body) < length:
        more = connection.recv(1 << 18)
        if not more:
            return 0, b"", b""
        body += more
    return int(head.split(b" ")[1]), head, body
