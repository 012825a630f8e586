"""Traces as the report's viewer shows them: small JSON objects, long texts cut, repeated ones shared."""

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.records import AssistantTurn, ExecutedCall, LabeledTrace, Trace
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import parse_tools

LONGEST_TEXT = 1600


class TextTable:
    """Texts by number, so that a system prompt which all traces share is stored once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._taken = 0

    def add(self, text: str) -> int:
        """The number of a text, cut to LONGEST_TEXT characters."""
        cut = text
        if len(text) > LONGEST_TEXT:
            cut = f"{text[:LONGEST_TEXT]} … (+{len(text) - LONGEST_TEXT} characters)"
        if cut not in self._numbers:
            self._numbers[cut] = len(self.texts)
            self.texts.append(cut)
        return self._numbers[cut]

    def take_new(self) -> list[str]:
        """The texts that were added since the last time this was asked."""
        new = self.texts[self._taken :]
        self._taken = len(self.texts)
        return new


def view_trace(trace: Trace, texts: TextTable) -> dict[str, JsonValue]:
    """`{"answer", "correct", "blocks"}`: the conversation, each reply with its call's error.

    A block has `role` and `text` (a number of the table); an assistant's also `calls` (texts of its
    calls), `finish`, `prefilled` (characters that were given, not sampled; -1 when they can't be told
    from the text) and, in a labeled trace, `trained` and `why`; a tool's also `name`, `error` and
    `unseen` when the conversation ended before the model could read it.
    """
    turns = {turn.message: turn for turn in trace.turns}
    labels = {label.message: label for label in trace.labels} if isinstance(trace, LabeledTrace) else {}
    calls: dict[int, list[ExecutedCall]] = {}
    for executed in trace.calls:
        calls.setdefault(executed.message, []).append(executed)
    blocks: list[JsonValue] = []
    waiting: list[ExecutedCall] = []
    for index, message in enumerate(trace.messages):
        block: dict[str, JsonValue] = {"role": message.role, "text": texts.add(message.content)}
        if message.role == "assistant":
            blocks.extend(_reply(executed, texts, unseen=True) for executed in waiting)
            waiting = list(calls.get(index, []))
            block["calls"] = [executed.text for executed in waiting]
            if index in turns:
                block["finish"] = turns[index].finish_reason
                block["prefilled"] = prefilled_characters(trace, turns[index])
            if index in labels:
                block["trained"] = labels[index].trained
                block["why"] = labels[index].reason
        elif message.role == "tool" and waiting:
            block = _reply(waiting.pop(0), texts, unseen=False) | {"text": block["text"]}
        blocks.append(block)
    blocks.extend(_reply(executed, texts, unseen=True) for executed in waiting)
    return {"answer": trace.outcome.answer, "correct": trace.outcome.correct, "blocks": blocks}


def prefilled_characters(trace: Trace, turn: AssistantTurn) -> int:
    """How many characters of a turn were given: 0 for none, -1 when the text does not tell.

    The trace counts prefilled tokens, and this stage has no tokenizer: the text is found again by
    asking the call format how an action of each offered tool begins.
    """
    if not turn.prefilled:
        return 0
    content = trace.messages[turn.message].content
    try:
        call_format = get_call_format(trace.call_format)
        beginnings = [call_format.prefill(tool) for tool in parse_tools(trace.tools)]
        beginnings.append(call_format.prefill_answer())
    except InputError:
        return -1
    fitting = (len(beginning) for beginning in beginnings if beginning and content.startswith(beginning))
    return max(fitting, default=-1)


def _reply(executed: ExecutedCall, texts: TextTable, *, unseen: bool) -> dict[str, JsonValue]:
    reply = executed.reply
    block: dict[str, JsonValue] = {
        "role": "tool",
        "text": texts.add(reply.content),
        "name": executed.call.name if executed.call else "",
        "error": reply.error.value if reply.error else None,
    }
    return block | {"unseen": True} if unseen else block
