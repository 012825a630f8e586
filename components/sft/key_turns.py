"""The key tokens of a trace's trained turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from components.contracts.records import LabeledTrace, Message
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema, parse_tools
from components.policy.key_tokens import Reading, find_key_tokens
from components.rollout.prompts import offers_tools

if TYPE_CHECKING:
    from components.policy.chat import Chat


def key_tokens_by_message(
    trace: LabeledTrace,
    chat: Chat,
    messages: Sequence[Message],
    tools: Sequence[ToolSchema],
    sampled: Mapping[int, Sequence[int]],
    reading: Reading,
) -> dict[int, tuple[int, ...]]:
    """Message index -> positions of the key tokens among the turn's ids; trained turns with calls only.

    messages, tools: what the policy is shown (`shown_prompt`). sampled: each turn's ids. The candidates
    are the tools that the trace offered, wherever the prompt describes them.
    """
    offered = parse_tools(trace.tools) if offers_tools(trace.prompt) else ()
    found: dict[int, tuple[int, ...]] = {}
    for label in trace.labels:
        if not label.trained:
            continue
        ids = sampled[label.message]
        text = chat.decode(ids)
        calls = get_call_format(trace.call_format).parse(text, offered).calls
        if not calls:
            continue
        found[label.message] = find_key_tokens(
            ids,
            text,
            calls,
            offered,
            reading,
            encode=chat.turn_encoder(messages[: label.message], tools),
            locate=chat.offsets,
        )
    return found
