"""A teacher on a loopback port: speaks OpenAI's chat completions with tool_calls, by a script.

What it says is decided by `answer(body)`, which gets the request and returns the assistant's message.
`heard` keeps the requests.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def tool_call(name: str, arguments: object, call_id: str = "call_1") -> dict[str, Any]:
    """One call as servers write it; text stays as it is, so that it may be broken."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


@contextmanager
def teacher_server(answer: Answer, heard: list[dict[str, Any]]) -> Iterator[str]:
    """Its URL, as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"data": [{"id": "teacher"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append(body)
            message = {"role": "assistant", "content": None} | answer(body)
            reason = "tool_calls" if message.get("tool_calls") else "stop"
            self._send({"choices": [{"index": 0, "finish_reason": reason, "message": message}]})

        def _send(self, reply: dict[str, Any]) -> None:
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
