"""The trained traces as other trainers read them, the mask included.

- `openai`: fine-tuning rows, `messages` and `tools`; an assistant's message has `weight` 0 or 1.
- `axolotl`: type chat_template, `message_field_training: train`; every message has `train`.
- `ms_swift`: `messages` with `loss`. ms-swift minds it in messages of the role assistant only and forgets
it of the role
  tool_call, so calls are the text that the policy wrote, in its own call format.

Arguments are JSON in text, as OpenAI has them: files with objects of differing types are refused by
`datasets`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from components.contracts.records import LabeledTrace, Message
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_calls.base import ParsedTurn
from components.contracts.tool_schemas import ToolSchema, parse_tools
from components.error_labeling.settings import Export
from components.rollout.prompts import build_messages, offers_tools

EXPORT_FILES: dict[Export, str] = {
    "openai": "openai.jsonl",
    "ms_swift": "ms_swift.jsonl",
    "axolotl": "axolotl.jsonl",
}
Row = dict[str, JsonValue]


def export_rows(name: Export, traces: Iterable[LabeledTrace]) -> Iterator[Row]:
    """One row for each trace with a trained turn, in the order of `traces`; what follows the last turn is
    left out.

    Raises:
        InputError: a trace's tools are no tool schemas, or its call format is unknown.
    """
    for trace in traces:
        if any(label.trained for label in trace.labels):
            yield _swift_row(trace) if name == "ms_swift" else _structured_row(trace, name)


def _structured_row(trace: LabeledTrace, name: Export) -> Row:
    """Calls as `tool_calls`; a turn whose calls can't be read stays text, and its replies are the user's."""
    tools = _offered(trace)
    trained = {label.message: label.trained for label in trace.labels}
    begin, spoken = _split(trace, tools)
    messages: list[JsonValue] = []
    waiting: list[str] = []  # ids of calls whose replies come next
    # The prompt's own assistant messages too: without a mark OpenAI would train on them.
    start = len(trace.messages) - len(spoken) - len(begin)
    for index, message in enumerate((*begin, *spoken), start):
        if index > max(trained):
            break
        if message.role == "assistant":
            parsed = get_call_format(trace.call_format).parse(message.content, tools)
            written = _assistant(message, parsed, index)
            waiting = [str(call["id"]) for call in _calls(parsed, index)]
            messages.append(_marked(written, trained.get(index, False), name))
        elif message.role == "tool" and waiting:
            reply: Row = {"role": "tool", "tool_call_id": waiting.pop(0), "content": message.content}
            messages.append(_marked(reply, None, name))
        else:
            role = "user" if message.role == "tool" else message.role
            messages.append(_marked({"role": role, "content": message.content}, None, name))
    row: Row = {"messages": messages}
    return row | {"tools": list[JsonValue](tools)} if tools else row


def _assistant(message: Message, parsed: ParsedTurn, index: int) -> Row:
    calls = _calls(parsed, index)
    if not calls:
        text = message.content if parsed.failures or parsed.answer is None else parsed.answer
        return {"role": "assistant", "content": text}
    return {"role": "assistant", "content": parsed.thought, "tool_calls": list[JsonValue](calls)}


def _calls(parsed: ParsedTurn, index: int) -> list[Row]:
    if parsed.failures:
        return []
    return [
        {
            "id": f"call_{index}_{number}",
            "type": "function",
            "function": {
                "name": one.call.name,
                "arguments": json.dumps(one.call.arguments, ensure_ascii=False),
            },
        }
        for number, one in enumerate(parsed.calls)
    ]


def _marked(message: Row, trained: bool | None, name: Export) -> Row:
    """The message with the trainer's field. trained: None when it is not an assistant's turn."""
    if name == "axolotl":
        return message | {"train": bool(trained)}
    return message if trained is None else message | {"weight": int(trained)}


def _swift_row(trace: LabeledTrace) -> Row:
    """Text as the policy was shown it and wrote it."""
    trained = {label.message: label.trained for label in trace.labels}
    messages: list[JsonValue] = []
    for index, message in enumerate(trace.messages[: max(trained) + 1]):
        role = "tool_response" if message.role == "tool" else message.role
        marked: Mapping[str, JsonValue] = (
            {"loss": trained.get(index, False)} if message.role == "assistant" else {}
        )
        messages.append({"role": role, "content": message.content, **marked})
    described = not trace.native_tools  # the system message describes the tools
    tools: Row = {} if described or not offers_tools(trace.prompt) else {"tools": trace.tools}
    return tools | {"messages": messages}


def _offered(trace: LabeledTrace) -> tuple[ToolSchema, ...]:
    return parse_tools(trace.tools) if trace.tools and offers_tools(trace.prompt) else ()


def _split(trace: LabeledTrace, tools: Sequence[ToolSchema]) -> tuple[Sequence[Message], Sequence[Message]]:
    """The prompt and what follows; a prompt of ours without the words that teach the call format."""

    ours = build_messages(trace.question, tools, trace.prompt, trace.call_format, trace.native_tools)
    if trace.messages[: len(ours)] == ours:
        untaught = build_messages(trace.question, tools, trace.prompt, "hermes", native_tools=True)
        return untaught, trace.messages[len(ours) :]
    first = min(label.message for label in trace.labels)
    return trace.messages[:first], trace.messages[first:]
