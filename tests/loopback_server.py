"""An HTTP server on a free loopback port for as long as a block runs, for stand-ins of model servers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    """Reads and writes JSON bodies, and logs nothing."""

    def read_json(self) -> dict[str, Any]:
        """The request's body."""
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def send_json(self, reply: dict[str, Any], status: int = 200) -> None:
        """Answer the request."""
        data = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Says nothing on standard error."""


@contextmanager
def serving(handler: type[JsonHandler]) -> Iterator[str]:
    """The server's address, such as http://127.0.0.1:43211."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
