"""One of BFCL's conversations with a served model: the prompts that `whetstone evaluate` asks, and what comes back.

Imports pydantic and jsonschema beside the standard library, nothing else: this runs where bfcl-eval is installed.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.contracts.records import Message, Question
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_dialects import normalise_tools
from components.contracts.tool_schemas import ToolSchema, tool_name
from components.evaluation.bfcl_handler.served_model import ServedModel
from components.policy.server_calls import plain_messages, server_messages, shortest_action, turn_text
from components.rollout.prompts import build_messages
from components.rollout.storable import is_storable, storable_text


class Conversation:
    """What was said so far, and the tools on offer.

    single_turn: nothing follows the first messages; these are then stripped, as `ingest` strips a question's.
    """

    def __init__(self, served: ServedModel, *, single_turn: bool = True) -> None:
        self.served = served
        self._single_turn = single_turn
        self.messages: list[Message] = []
        self.tools: tuple[ToolSchema, ...] = ()
        self._format = get_call_format(served.call_format)
        self._added: tuple[ToolSchema, ...] = ()

    def offer(self, functions: Sequence[Mapping[str, Any]]) -> None:
        """Offer BFCL's function documents, all that are on offer from now on.

        Raises:
            InputError: one of them is no tool.
        """
        known = {tool_name(tool) for tool in self.tools}
        self.tools = normalise_tools(list(functions)) if functions else ()
        self._added = tuple(tool for tool in self.tools if tool_name(tool) not in known)

    def begin(self, said: Sequence[Mapping[str, str]]) -> None:
        """The first messages; the last one is the question."""
        history = [
            Message.model_validate(
                {
                    "role": one["role"],
                    "content": one["content"].strip() if self._single_turn else one["content"],
                }
            )
            for one in said
        ]
        question = Question(id="bfcl", text=history[-1].content, history=tuple(history[:-1]))
        native = self.served.tools_shown != "text"
        self.messages = list(
            build_messages(question, self.tools, self.served.variant, self.served.call_format, native)
        )
        self._added = ()

    def add_user(self, text: str) -> None:
        """The user speaks again; functions offered since then stand in front where the prompt shows them as text."""
        if self._added and self.served.tools_shown == "text":
            text = f"{json.dumps(self._added, ensure_ascii=False)}\n{text}"
        self._added = ()
        self.messages.append(Message(role="user", content=text))

    def add_turn(self, text: str) -> None:
        """The assistant's turn."""
        self.messages.append(Message(role="assistant", content=text))

    def add_replies(self, replies: Sequence[str], names: Sequence[str]) -> None:
        """What the calls of the last turn gave, in their order."""
        for reply, name in zip(replies, names, strict=True):
            self.messages.append(Message(role="tool", content=storable_text(reply), name=name))

    def request(self) -> dict[str, Any]:
        """The body of a chat completion, without model and temperature."""
        served = self.served
        body: dict[str, Any] = {"max_tokens": served.max_new_tokens, "top_p": served.top_p}
        if served.tools_shown == "calls" and self.tools:
            messages = server_messages(self.messages, self._format, self.tools)
            return body | {"messages": messages, "tools": list(self.tools)}
        body["messages"] = plain_messages(
            self.messages, system_role=served.system_role, tool_role=served.tool_role
        )
        if served.tools_shown == "template" and self.tools:
            # The template shows them; what the model writes is read by its own call format, not the server's.
            body |= {"tools": list(self.tools), "tool_choice": "none"}
        return body

    def read(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The assistant's message as bfcl keeps it: text, calls, and the pieces of text that are no call.

        Raises:
            InputError: the server's calls have no names.
        """
        shown = self.tools if self.served.tools_shown == "calls" else ()
        text = storable_text(turn_text(message, self._format, shown))
        cut = shortest_action(text, self._format)
        text = text if cut is None else text[:cut]
        parsed = self._format.parse(text, self.tools)
        calls = [one.call for one in parsed.calls]
        unreadable = [one.text for one in parsed.failures]
        unreadable += [one.text for one in parsed.calls if not is_storable(one.call)]
        return {
            "text": text,
            "calls": [{call.name: call.arguments} for call in calls if is_storable(call)],
            "unreadable": unreadable,
        }
