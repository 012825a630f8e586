"""Traces as the item browser shows them: small JSON objects, long texts cut, repeated ones shared."""

from functools import lru_cache

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.records import AssistantTurn, EvaluationItem, ExecutedCall, LabeledTrace, Trace
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_calls.shown import show_call
from components.contracts.tool_schemas import parse_tools, tool_name, tool_parameters

LONGEST_TEXT = 1600
MOST_GOLDS = 8


class TextTable:
    """Texts by number, so that a system prompt which all traces share is stored once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._kept = 0

    def add(self, text: str) -> int:
        """The number of a text, cut to LONGEST_TEXT characters."""
        cut = text
        if len(text) > LONGEST_TEXT:
            cut = f"{text[:LONGEST_TEXT]} … (+{len(text) - LONGEST_TEXT} characters)"
        if cut not in self._numbers:
            self._numbers[cut] = len(self.texts)
            self.texts.append(cut)
        return self._numbers[cut]

    def new(self) -> list[str]:
        """The texts that were added since they were last kept."""
        return self.texts[self._kept :]

    def keep(self) -> None:
        """Let the new texts stay."""
        self._kept = len(self.texts)

    def drop(self) -> None:
        """Forget the new texts."""
        for text in self.new():
            del self._numbers[text]
        del self.texts[self._kept :]


def view_golds(golds: tuple[str, ...], texts: TextTable) -> dict[str, JsonValue]:
    """`{"gold", "more_gold"}`: the first MOST_GOLDS accepted answers, and how many others there are."""
    return {
        "gold": [texts.add(gold) for gold in golds[:MOST_GOLDS]],
        "more_gold": max(0, len(golds) - MOST_GOLDS),
    }


def view_side(item: EvaluationItem, trace: Trace, texts: TextTable) -> dict[str, JsonValue]:
    """`view_trace`, with the verdict of the evaluation: its category or its failed calls, in words.

    `executed` stands where the calls were executed beside being compared: `correct` (None: they could not be) and
    `note`, why not.
    """
    view = view_trace(trace, texts)
    if item.executed_correct is not None or item.execution_note:
        view["executed"] = {"correct": item.executed_correct, "note": texts.add(item.execution_note)}
    return view | {
        "correct": item.correct,
        "answer": None if item.answer is None else texts.add(item.answer),
        "fault": fault_of(item),
        "tokens": item.tokens,
    }


def fault_of(item: EvaluationItem) -> str:
    """What is wrong with an item, in a few words; empty when it is right."""
    if item.correct:
        return ""
    if item.category:
        return item.category.replace("_", " ")
    if item.errors:
        return item.errors[0].value.replace("_", " ")
    return "no answer" if item.answer is None else "wrong answer"


def view_trace(trace: Trace, texts: TextTable) -> dict[str, JsonValue]:
    """`{"answer", "correct", "tools", "parsed", "blocks"}`: the conversation, each reply with its call's error.

    Texts are numbers of the table. `tools` are the offered ones, a line each; `parsed` the calls as they were
    understood, with the error that they got. A block has `role` and `text`; an assistant's also `calls` (texts
    of its calls), `finish`, `prefilled` (characters that were given, not sampled; -1 when they can't be told
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
            block["calls"] = [executed.text[:LONGEST_TEXT] for executed in waiting]
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
    answer = trace.outcome.answer
    return {
        "answer": None if answer is None else texts.add(answer),
        "correct": trace.outcome.correct,
        "tools": texts.add(_tool_lines(trace.tools)),
        "parsed": [_parsed(executed, texts) for executed in trace.calls],
        "blocks": blocks,
    }


def prefilled_characters(trace: Trace, turn: AssistantTurn) -> int:
    """How many characters of a turn were given: 0 for none, -1 when the text does not tell.

    The trace counts prefilled tokens, and this room has no tokenizer: the text is found again by
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


def _parsed(executed: ExecutedCall, texts: TextTable) -> dict[str, JsonValue]:
    shown = show_call(executed.call) if executed.call else executed.text
    error = executed.reply.error
    return {"text": texts.add(shown), "error": error.value if error else None}


@lru_cache(maxsize=64)  # most traces of a page offer the same
def _tool_lines(text: str) -> str:
    """A line for each offered tool: its name, its parameters and what it says of itself."""
    try:
        tools = parse_tools(text)
    except InputError:
        return text
    return "\n".join(
        f"{tool_name(tool)}({', '.join(tool_parameters(tool))}) {tool['function'].get('description', '')}"
        for tool in tools
    )


def _reply(executed: ExecutedCall, texts: TextTable, *, unseen: bool) -> dict[str, JsonValue]:
    reply = executed.reply
    block: dict[str, JsonValue] = {
        "role": "tool",
        "text": texts.add(reply.content),
        "name": executed.call.name if executed.call else "",
        "error": reply.error.value if reply.error else None,
    }
    return block | {"unseen": True} if unseen else block
