"""A server that speaks OpenAI's protocol over a policy in this process, for tests of the engine that calls one.

/v1/completions takes and returns ids as vLLM does; /v1/chat/completions takes messages and returns text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch

from components.contracts.records import Message
from components.policy.load import Policy
from tests.loopback_server import JsonHandler, serving

KEY = "a-test-key"


@contextmanager
def token_server(policy: Policy, *, failures: int = 0, ids: bool = True) -> Iterator[str]:
    """Its URL. The first `failures` POSTs are answered with 503; `ids` False leaves token_ids out."""
    left = [failures]
    lock = Lock()

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.answer({"data": [{"id": "served"}]})

        def do_POST(self) -> None:
            body = self.read_json()
            with lock:
                left[0] -= 1
                if left[0] >= 0:
                    self.answer({}, status=503)
                    return
                self.answer({"choices": [complete(policy, body, ids=ids)]})

        def answer(self, reply: dict[str, Any], status: int = 200) -> None:
            allowed = self.headers.get("Authorization") == f"Bearer {KEY}"
            self.send_json(reply, status if allowed else 401)

    with serving(Handler) as url:
        yield f"{url}/v1"


def complete(policy: Policy, body: dict[str, Any], *, ids: bool) -> dict[str, Any]:
    """Greedy, one token at a time."""
    chat = policy.chat
    if "prompt" in body:
        prompt = body["prompt"]
    else:
        said = [Message.model_validate(message) for message in body["messages"]]
        prefill = said.pop().content if body.get("continue_final_message") else ""
        prompt = chat.encode(said, prefill=prefill, generation_prompt=True).ids
    found: list[int] = []
    logprobs: list[float] = []
    reason = "length"
    for _ in range(body["max_tokens"]):
        with torch.inference_mode():
            scores = policy.model(input_ids=torch.tensor([prompt + found])).logits[0, -1].log_softmax(-1)
        found.append(int(scores.argmax()))
        logprobs.append(float(scores.max()))
        if found[-1] in chat.stop_ids:
            reason = "stop"
            break
    choice: dict[str, Any] = {"finish_reason": reason}
    if "prompt" in body:
        choice["logprobs"] = {"token_logprobs": logprobs}
        if ids:
            choice["token_ids"] = found
    else:
        choice["message"] = {"role": "assistant", "content": chat.decode(found)}
    return choice
