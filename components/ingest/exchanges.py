"""From an exchange with tools to the records of both sides: a trace to train on, a question to judge by.

A gold (`only_last`) is one call of the assistant after what was said before: on both sides the same
question. A trajectory is trained whole; held out, it is asked up to the user's message before its first
turn with calls whose reply reads as no error. Where none can be told to have worked, the first turn with
calls is the gold. The last message before a gold is the question's text, a tool's reply as well as the
user's; the dialogue's first request is then its subject, so that the split keeps dialogues together.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from components.contracts.records import Message, Question, ToolCall, Trace
from components.contracts.tool_schemas import explain_call, find_tool
from components.ingest.foreign_traces import assistant_text, trace_of
from components.ingest.formats.tool_lists import check_offered
from components.ingest.replies import reads_as_error
from components.ingest.reply_order import in_order_of_calls
from components.ingest.rows import Exchange, RowError, Said

UNANSWERED = "messages of the user at the end, which nobody answered, left out"
MISFIT = "a gold does not fit its tool's schema, and was kept"


@dataclass(frozen=True)
class Sample:
    """The records of one exchange.

    question: the example's identity (id, text, subject), and what train.jsonl gets when it has golds.
    held_out: what is judged; None with `refused` saying why this one can't be. trace: None when nobody
    answered the request. text: what tells equal examples from others.
    """

    question: Question
    held_out: Question | None
    trace: Trace | None
    text: str
    refused: str = ""
    note: str = ""


def build_sample(exchange: Exchange, kind: str, call_format: str) -> Sample:
    """The records of an exchange, its calls written in `call_format`.

    Raises:
        RowError: no request of the user, no call, a gold that was not offered, or text that can't be
            written in that format (or held by a record).
    """
    answered = _answered(exchange.said)
    if len(answered) < len(exchange.said):
        exchange = replace(exchange, note=exchange.note or UNANSWERED)
    said = in_order_of_calls(_joined(answered))
    first = next((one for one, message in enumerate(said) if message.role == "user"), None)
    if first is None or not said[first].text:
        raise RowError("messages", "expected a user message with text")
    digest = _digest(exchange, said)
    values: dict[str, object] = {
        "id": exchange.id or f"{kind}-{digest[:12]}",
        "kind": kind,
        "answers": exchange.answers,
    }
    builder = _Builder(exchange, said, values, said[first].text, call_format)
    try:
        if all(one.role != "assistant" for one in said):
            question = builder.question(said, ())
            return Sample(question, question, None, digest)
        if not any(one.calls for one in said):
            what = "gold" if exchange.only_last else "trajectory"
            raise RowError("messages", f"a {what} without a call")
        return builder.gold(digest) if exchange.only_last else builder.trajectory(first, digest)
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"])
        raise RowError("messages", f"can't be held by a record: {reason}") from error


def judged_question(exchange: Exchange, kind: str, call_format: str) -> tuple[Question, str]:
    """The question of an exchange that is only judged, never trained, and what the report counts about it.

    A last message with calls is the gold; without one there is none, and every message is asked.

    Raises:
        RowError: see `build_sample`; a whole trajectory.
    """
    said = in_order_of_calls(_joined(exchange.said))
    first = next((one.text for one in said if one.role == "user"), "")
    if not first or said[-1].role == "system":
        raise RowError("messages", "expected a user message with text")
    if not exchange.only_last and any(one.calls for one in said):
        raise RowError("messages", "a whole trajectory, expected one next turn")
    values: dict[str, object] = {
        "id": exchange.id or f"{kind}-{_digest(exchange, said)[:12]}",
        "kind": kind,
        "answers": exchange.answers,
    }
    builder = _Builder(exchange, said, values, first, call_format)
    try:
        if not exchange.only_last:
            return builder.question(said, ()), exchange.note
        golds = _golds(said[-1])
        check_offered("golds", golds, exchange.tools)
        return builder.question(said[:-1], golds), builder.note(golds)
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"])
        raise RowError("messages", f"can't be held by a record: {reason}") from error


@dataclass(frozen=True)
class _Builder:
    exchange: Exchange
    said: tuple[Said, ...]
    values: dict[str, object]
    request: str
    call_format: str

    def gold(self, digest: str) -> Sample:
        """One accepted next turn behind what was said."""
        *before, last = self.said
        golds = _golds(last)
        check_offered("golds", golds, self.exchange.tools)
        question = self.question(before, golds)
        trace = trace_of(question, (last,), self.exchange.tools, self.call_format)
        return Sample(question, question, trace, digest, note=self.note(golds))

    def trajectory(self, first: int, digest: str) -> Sample:
        """The whole dialogue to train on, one turn of it to judge by."""
        opened = self.question(self.said[: first + 1], ())
        trace = trace_of(opened, self.said[first + 1 :], self.exchange.tools, self.call_format)
        turn = self.gold_turn()
        golds = _golds(self.said[turn])
        unknown = next((call for call in golds[0] if not find_tool(self.exchange.tools, call.name)), None)
        if unknown:
            refused = f"the gold names a tool that is not offered (it is {unknown.name!r})"
            return Sample(opened, None, trace, digest, refused, self.exchange.note)
        asked = max(one for one in range(turn) if self.said[one].role == "user")
        held_out = self.question(self.said[: asked + 1], golds)
        return Sample(opened, held_out, trace, digest, note=self.note(golds))

    def gold_turn(self) -> int:
        """The first turn with calls that worked as far as can be told, else the first with calls."""
        users = [one for one, message in enumerate(self.said) if message.role == "user"]
        turns = [one for one, message in enumerate(self.said) if message.calls and one > users[0]]
        if not turns:
            raise RowError("messages", "a trajectory without a call behind the user's message")
        return next((one for one in turns if self._worked(one)), turns[0])

    def _worked(self, turn: int) -> bool:
        if any(find_tool(self.exchange.tools, call.name) is None for call in self.said[turn].calls):
            return False
        for message in self.said[turn + 1 :]:
            if message.role != "tool":
                break
            if reads_as_error(message.text):
                return False
        return True

    def question(self, said: Sequence[Said], golds: tuple[tuple[ToolCall, ...], ...]) -> Question:
        """The question whose text is the last of `said`, or whose history ends with that where a tool said it."""
        answered = said[-1].role == "tool"
        before, text = (said, self.request) if answered else (said[:-1], said[-1].text)
        if not text:
            raise RowError("messages", "the message before the call is empty")
        subject = self.exchange.subject or (self.request if text != self.request else "")
        return Question.model_validate(
            self.values
            | {
                "text": text,
                "subject": subject,
                "history": tuple(self._message(one) for one in before),
                "offered": json.dumps(self.exchange.tools, ensure_ascii=False),
                "golds": golds,
                "reference": self.exchange.reference,
            }
        )

    def _message(self, said: Said) -> Message:
        if said.role == "assistant":
            return Message(
                role="assistant", content=assistant_text(said, self.exchange.tools, self.call_format)
            )
        return Message(role=said.role, content=said.text, name=said.name if said.role == "tool" else "")

    def note(self, golds: tuple[tuple[ToolCall, ...], ...]) -> str:
        """What the report counts about the row."""
        fits = all(explain_call(call, self.exchange.tools) is None for calls in golds for call in calls)
        return self.exchange.note or ("" if fits else MISFIT)


def _golds(said: Said) -> tuple[tuple[ToolCall, ...], ...]:
    """The accepted lists of calls, each once, without ids."""
    lists = [
        tuple(call.model_copy(update={"id": ""}) for call in one) for one in (said.calls, *said.alternatives)
    ]
    return tuple({json.dumps([c.model_dump() for c in one], sort_keys=True): one for one in lists}.values())


def _answered(said: Sequence[Said]) -> Sequence[Said]:
    """Up to the last message that is not the user's; all of it where no assistant says anything."""
    if all(one.role != "assistant" for one in said):
        return said
    end = len(said)
    while said[end - 1].role in ("user", "system"):
        end -= 1
    return said[:end]


def _joined(said: Sequence[Said]) -> tuple[Said, ...]:
    """With an assistant's messages in a row as one.

    What an assistant says before it calls is the thought of that call.
    """
    found: list[Said] = []
    for one in said:
        before = found[-1] if found else None
        if one.role == "assistant" and before is not None and before.role == "assistant":
            text = "\n".join(text for text in (before.text, one.text) if text)
            alternatives = tuple((*before.calls, *other) for other in one.alternatives)
            found[-1] = replace(one, text=text, calls=(*before.calls, *one.calls), alternatives=alternatives)
        else:
            found.append(one)
    return tuple(found)


def _digest(exchange: Exchange, said: Sequence[Said]) -> str:
    """Equal for equal tools and messages only, whatever call format is asked for.

    Raises:
        RowError: half of a surrogate pair somewhere, which no file of records can hold.
    """
    parts = [
        [one.role, one.text, one.name, [_plain(calls) for calls in (one.calls, *one.alternatives)]]
        for one in said
    ]
    text = json.dumps([exchange.tools, parts], sort_keys=True, ensure_ascii=False)
    names = (exchange.id, exchange.kind, exchange.subject, *exchange.answers)
    try:
        "".join(names).encode()
        return hashlib.sha256(text.encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise RowError("messages", "expected Unicode text, got half of a surrogate pair") from error


def _plain(calls: Sequence[ToolCall]) -> list[object]:
    return [[call.name, call.arguments] for call in calls]
