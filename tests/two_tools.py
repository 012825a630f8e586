"""A tiny model that calls one of two tools by the flip of a coin, and labeled traces that say which is right.

A helper, not a test: what PPO must learn from, in seconds.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from components.contracts.records import (
    AssistantTurn,
    ExecutedCall,
    LabeledTrace,
    Message,
    Outcome,
    Question,
    ToolCall,
    ToolReply,
    TurnLabel,
)
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_errors import ToolError
from components.policy.chat import Chat
from components.policy.load import open_chat
from components.policy.settings import ModelSettings
from components.storage.cache import build_once
from tests.tiny_model import build_tiny_model

CALL_FORMAT = "pythonic"
RIGHT, WRONG = "[alpha(x=1)]", "[beta(x=1)]"
TOPICS = ("rain", "snow", "wind", "fog", "heat", "frost", "hail", "mist")
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "Look it up.",
            "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
        },
    }
    for name in ("alpha", "beta")
]
FLOAT32 = ModelSettings(dtype="float32", device="cpu")


def two_tool_model() -> Path:
    """A Hugging Face folder, built once in the cache: after any of the prompts, either call, half and half."""
    return build_once("test_models/two-tools-2", _build)


def prompt_of(topic: str) -> tuple[Message, ...]:
    return (Message(role="system", content="Call."), Message(role="user", content=topic))


def _build(folder: Path) -> None:
    with torch.random.fork_rng():
        build_tiny_model(folder, hidden=64)
        chat = open_chat(str(folder), CALL_FORMAT)
        from components.policy.load import load_policy

        model = load_policy(str(folder), settings=FLOAT32, call_format=CALL_FORMAT).model
        _train(model.requires_grad_(True), chat)
        model.save_pretrained(str(folder))


def _train(model: Any, chat: Chat) -> None:
    rows = []
    for topic in TOPICS:
        for call in (RIGHT, WRONG):
            prompt = chat.encode(prompt_of(topic), generation_prompt=True).ids
            response = [*chat.tokenizer.encode(call, add_special_tokens=False), chat.stop_ids[0]]
            rows.append((prompt + response, len(prompt)))
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in rows])
    labels = torch.full_like(ids, -100)
    for place, (row, start) in enumerate(rows):
        labels[place, start : len(row)] = torch.tensor(row[start:])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        logits = model(input_ids=ids).logits[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def gold_trace(
    chat: Chat,
    topic: str,
    *,
    call: str = RIGHT,
    error: ToolError | None = None,
    tools: Sequence[dict[str, Any]] = TOOLS,
    trained: bool = True,
) -> LabeledTrace:
    """A trace whose one turn makes `call`, sampled by the two-tool model, with its label."""
    ids = (*chat.tokenizer.encode(call, add_special_tokens=False), chat.stop_ids[0])
    parsed = get_call_format(CALL_FORMAT).parse(call, TOOLS)
    calls: list[ToolCall | None] = [one.call for one in parsed.calls]
    calls += [None] * len(parsed.failures)
    return LabeledTrace(
        id=f"trace-{topic}",
        question=Question(id=topic, text=topic),
        tools=json.dumps(list(tools)),
        messages=(*prompt_of(topic), Message(role="assistant", content=call)),
        turns=(
            AssistantTurn(
                message=2, token_ids=ids, logprobs=(-1.0,) * len(ids), finish_reason="stop", prefilled=0
            ),
        ),
        calls=tuple(
            ExecutedCall(message=2, text=call, call=one, reply=ToolReply(content="")) for one in calls
        ),
        outcome=Outcome(answer=None),
        model="two-tools",
        template_hash=chat.template_hash,
        call_format=CALL_FORMAT,
        labels=(TurnLabel(message=2, trained=trained, error=error),),
    )


def call_of(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)
