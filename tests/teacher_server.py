"""A teacher on a loopback port: speaks OpenAI's chat completions with tool_calls, by a script.

What it says is decided by `answer(body)`, which gets the request and returns the assistant's message.
`heard` keeps the requests.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.loopback_server import JsonHandler, serving

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def tool_call(name: str, arguments: object, call_id: str = "call_1") -> dict[str, Any]:
    """One call as servers write it; text stays as it is, so that it may be broken."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


@contextmanager
def teacher_server(answer: Answer, heard: list[dict[str, Any]]) -> Iterator[str]:
    """Its URL, as long as the block runs."""

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.send_json({"data": [{"id": "teacher"}]})

        def do_POST(self) -> None:
            body = self.read_json()
            heard.append(body)
            message = {"role": "assistant", "content": None} | answer(body)
            reason = "tool_calls" if message.get("tool_calls") else "stop"
            self.send_json({"choices": [{"index": 0, "finish_reason": reason, "message": message}]})

    with serving(Handler) as url:
        yield f"{url}/v1"
