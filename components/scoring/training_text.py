"""What a row of training says, in parts: the side of `contamination` that is compared with the benchmarks' items.

Everything in the row counts, also what no loss is on: the policy learns what to say behind its prompt. Of tools that is
what they say of themselves; their names and JSON's own words are nobody's.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import JsonValue

from components.contracts.records import Message, Question, Trace

TOOLS = "tools"
KEPT_TEXTS = 256  # of tools and systems, which many rows share
_NAMES = frozenset({"name", "type", "required", "format", "pattern", "$ref"})  # keys whose texts say nothing
_SCHEMA_KEYS = frozenset({"parameters", "function", "inputSchema", "input_schema"})
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class TrainingText:
    """What a row of training says. asked: messages of its user. others: name of a part and its text.

    instructions: such parts that many rows share: the system text, and what tools say of themselves.
    """

    row: str
    asked: tuple[str, ...]
    others: tuple[tuple[str, str], ...] = ()
    instructions: tuple[tuple[str, str], ...] = ()


def question_text(question: Question) -> TrainingText:
    """What a training question says; the values of its gold calls are trained on too."""
    golds = tuple(("golds", text) for text in gold_texts(question))
    said, systems = _said("history", question.history)
    return TrainingText(
        question.id, tuple(asked_of(question)), said + golds, (*systems, *_tools(question.offered))
    )


def trace_text(trace: Trace) -> TrainingText:
    """What a trace says, replies of tools included."""
    asked = tuple(one.content for one in trace.messages if one.role == "user")
    said, systems = _said("message", trace.messages)
    return TrainingText(trace.id, asked, said, (*systems, *_tools(trace.tools)))


def asked_of(question: Question) -> Iterator[str]:
    """The user's messages of its history, and its text, unless that is among them."""
    yield from (one.content for one in question.history if one.role == "user")
    if not (question.history and question.history[-1].role == "tool"):
        yield question.text


def gold_texts(question: Question) -> Iterator[str]:
    """Every text in the arguments of its gold calls."""
    for call in (call for calls in question.golds for call in calls):
        yield from _texts(call.arguments)


@lru_cache(KEPT_TEXTS)
def described_tools(text: str) -> str:
    """A line for each description, default, example or choice of tools. text: a JSON array of schemas, or anything."""
    try:
        return "\n".join(_texts(json.loads(text), _NAMES))
    except (ValueError, RecursionError):
        return text


@lru_cache(KEPT_TEXTS)
def described_system(text: str) -> str:
    """A system text with `described_tools` in place of each schema that it shows as JSON."""
    parts, end, start = [], 0, text.find("{")
    while start >= 0:
        following = start + 1
        try:
            found, stop = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            pass
        else:
            following = stop
            if _SCHEMA_KEYS & found.keys():
                parts += [text[end:start], *_texts(found, _NAMES)]
                end = stop
        start = text.find("{", following)
    return "\n".join([*parts, text[end:]])


Parts = tuple[tuple[str, str], ...]


def _said(where: str, messages: Iterable[Message]) -> tuple[Parts, Parts]:
    """What assistants and tools say, and apart from it the system."""
    numbered = [(f"{where} {number} ({one.role})", one) for number, one in enumerate(messages)]
    said = tuple((name, one.content) for name, one in numbered if one.role in ("assistant", "tool"))
    systems = ((name, described_system(one.content)) for name, one in numbered if one.role == "system")
    return said, tuple(systems)


def _tools(text: str) -> Parts:
    return ((TOOLS, described_tools(text)),) if text else ()


def _texts(value: JsonValue | Any, names: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every text in a JSON value but the keys, and what stands under `names` as text or list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, names)
    elif isinstance(value, dict):
        for key, one in value.items():
            if not (key in names and isinstance(one, str | list)):
                yield from _texts(one, names)
