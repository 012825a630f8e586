"""Samples from any server that speaks OpenAI's protocol: vLLM, KServe, or a hosted teacher."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from components.contracts.errors import InputError
from components.contracts.records import FinishReason
from components.contracts.tool_calls import get_call_format
from components.policy.chat import Chat
from components.policy.engine import Completion, Conversation, Sampling
from components.policy.finish import finish_turn
from components.policy.load import open_chat
from components.policy.server_calls import plain_messages, server_messages, shortest_action, turn_text
from components.policy.settings import EngineSettings

ATTEMPTS = 5
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class OpenAIEngine:
    """An `Engine` over HTTP. The key comes from OPENAI_API_KEY and is never shown.

    With `chat` (settings.server_tokens) prompts go out as the ids of our own rendering, to
    /completions, and ids come back: token-exact, as vLLM offers it. Without, messages go to
    /chat/completions, and turns are text (`retokenized`). Such servers are told of the tools in the system
    message and get tool replies as user messages. With settings.server_tools they get `tools`, structured
    calls and replies instead (a hosted teacher, for instance). Calls that a reply brings beside its text are
    written into the turn in the call format, either way.
    """

    def __init__(
        self, base_model: str, settings: EngineSettings, client: httpx.Client, model: str, chat: Chat | None
    ) -> None:
        self.base_model = base_model
        self.call_format = settings.call_format
        self.template_hash = chat.template_hash if chat else ""
        self.native_tools = chat.native_tools if chat else settings.server_tools
        self._chat = chat
        self._format = get_call_format(settings.call_format)
        self._client = client
        self._model = model
        self._concurrency = settings.concurrency

    @classmethod
    def open(cls, base_model: str, settings: EngineSettings) -> OpenAIEngine:
        """Reach the server and find the model's name there.

        Raises:
            InputError: no URL, no server there, a refused key, or a model it doesn't have.
        """
        client = _client(settings)
        model, _ = _model(client, settings)
        chat = open_chat(base_model, settings.call_format) if settings.server_tokens else None
        return cls(base_model, settings, client, model, chat)

    def complete(
        self, conversations: Sequence[Conversation], sampling: Sampling, *, seeds: Sequence[int]
    ) -> list[Completion]:
        """See `Engine.complete`; requests go out concurrently.

        Raises:
            InputError: the server refuses a request, or keeps failing.
        """
        sample = self._by_tokens if self._chat else self._by_messages
        with ThreadPoolExecutor(self._concurrency) as pool:
            jobs = [
                pool.submit(sample, conversation, sampling, seed)
                for conversation, seed in zip(conversations, seeds, strict=True)
            ]
            return [job.result() for job in jobs]

    def _by_tokens(self, conversation: Conversation, sampling: Sampling, seed: int) -> Completion:
        assert self._chat is not None
        encoding = self._chat.encode(
            conversation.messages,
            conversation.tools,
            sampled=conversation.sampled,
            prefill=conversation.prefill,
            generation_prompt=True,
        )
        given = encoding.ids[encoding.spans[-1].start :] if conversation.prefill else []
        body = self._parameters(sampling, seed) | {
            "prompt": encoding.ids,
            "logprobs": 0,
            "return_token_ids": True,
            "stop_token_ids": list(self._chat.stop_ids),
            "include_stop_str_in_output": True,
            "skip_special_tokens": False,
            "add_special_tokens": False,
        }
        choice = self._first_choice("/completions", body)
        ids = choice.get("token_ids")
        if not isinstance(ids, list):
            raise InputError(
                f"engine: {self._client.base_url}: the reply has no token_ids; expected a server that returns "
                "them (vLLM 0.10.2 or later), or set server_tokens to false"
            )
        found = (choice.get("logprobs") or {}).get("token_logprobs") or [0.0] * len(ids)
        return finish_turn(self._chat, self._format, given, ids, found, self._stopped(choice))

    def _by_messages(self, conversation: Conversation, sampling: Sampling, seed: int) -> Completion:
        tools = conversation.tools
        messages: list[dict[str, Any]] = (
            server_messages(conversation.messages, self._format, tools)
            if tools
            else plain_messages(conversation.messages)
        )
        body = self._parameters(sampling, seed) | {"messages": messages}
        if tools:
            body |= {"tools": list(tools)}
        if conversation.prefill:
            messages.append({"role": "assistant", "content": conversation.prefill})
            # vLLM's names; a server that refuses them can't begin a turn for the model.
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        choice = self._first_choice("/chat/completions", body)
        said = turn_text(choice.get("message") or {}, self._format, tools)
        text = said if said.startswith(conversation.prefill) else conversation.prefill + said
        cut = shortest_action(text, self._format)
        finished: FinishReason = "complete" if cut is not None else self._stopped(choice)
        return Completion(text if cut is None else text[:cut], (), (), finished, retokenized=True)

    def _parameters(self, sampling: Sampling, seed: int) -> dict[str, Any]:
        return {
            "model": self._model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            "seed": seed % (1 << 31),
        }

    def _stopped(self, choice: dict[str, Any]) -> FinishReason:
        return "length" if choice.get("finish_reason") == "length" else "stop"

    def _first_choice(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = _request(self._client, "POST", path, body)
        choices = reply.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise InputError(f"engine: {self._client.base_url}: the reply of {path} has no choices")
        return choices[0]


def served_model_of(settings: EngineSettings) -> str:
    """See `engine.served_model`."""
    with _client(settings) as client:
        return " ".join(filter(None, _model(client, settings)))


def _client(settings: EngineSettings) -> httpx.Client:
    if not settings.url:
        raise InputError("engine: kind 'openai' needs url, such as http://host:8000/v1")
    key = os.environ.get("OPENAI_API_KEY", "")
    return httpx.Client(
        base_url=settings.url.rstrip("/"),
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=settings.timeout,
        limits=httpx.Limits(max_connections=settings.concurrency),
    )


def _model(client: httpx.Client, settings: EngineSettings) -> tuple[str, str]:
    """The model's name there, and where it comes from, which vLLM tells as `root`."""
    listed = _request(client, "GET", "/models", None).get("data")
    entries = [entry for entry in listed or [] if isinstance(entry, dict)]
    name = _chosen([str(entry.get("id")) for entry in entries], settings)
    return name, next((str(one.get("root") or "") for one in entries if str(one.get("id")) == name), "")


def _chosen(names: Sequence[str], settings: EngineSettings) -> str:
    if settings.server_model:
        if names and settings.server_model not in names:
            raise InputError(
                f"engine: {settings.url} has no model {settings.server_model!r}; it has: {', '.join(names)}"
            )
        return settings.server_model
    if len(names) != 1:
        raise InputError(
            f"engine: {settings.url} has {len(names)} models; name one as server_model: {', '.join(names)}"
        )
    return names[0]


def _request(client: httpx.Client, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """One request, repeated with growing pauses while the server is busy or unreachable."""
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(min(0.5 * 2**attempt, 20))
        try:
            reply = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            continue
        if reply.status_code in (401, 403):
            raise InputError(
                f"engine: {client.base_url} refuses the key ({reply.status_code}); set OPENAI_API_KEY"
            )
        if reply.status_code in RETRIED:
            reason = f"status {reply.status_code}"
            continue
        if reply.is_error:
            raise InputError(
                f"engine: {client.base_url}{path}: status {reply.status_code}: {reply.text[:200]!r}"
            )
        try:
            found = reply.json()
        except ValueError as error:
            raise InputError(f"engine: {client.base_url}{path}: the reply is not JSON") from error
        return found if isinstance(found, dict) else {}
    raise InputError(f"engine: {client.base_url} can't be reached or keeps failing: {reason}")
