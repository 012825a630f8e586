"""BFCL's multi-turn conversations with right and wrong plays of them, for comparing checkers. Not a test.

A play is known by its item, its kind and its seed, so that verdicts can be recorded without the benchmark's rows.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from components.contracts.records import Question, ToolCall
from components.scoring.bfcl.multi_turn_reference import MULTI_TURN_GROUPS, BfclMultiTurn
from components.scoring.bfcl.multi_turn_rows import multi_turn_question
from tests.bfcl_replays import Steps, gold_turns

# Functions that change nothing and need no argument, by class.
HARMLESS = {
    "GorillaFileSystem": "pwd",
    "MessageAPI": "message_get_login_status",
    "TwitterAPI": "posting_get_login_status",
    "TicketAPI": "ticket_get_login_status",
    "TradingBot": "get_current_time",
    "TravelAPI": "travel_get_login_status",
    "VehicleControlAPI": "displayCarStatus",
}


@dataclass(frozen=True)
class Conversation:
    """One row as a question, with the ground truth's calls."""

    question: Question
    reference: BfclMultiTurn
    gold: Steps

    @property
    def id(self) -> str:
        """The row's id."""
        return self.question.id


class Play(NamedTuple):
    """What was called: user turn -> step -> calls."""

    kind: str
    turns: Steps


def read_conversations(data: Path) -> list[Conversation]:
    """All multi-turn items of the `data` folder of the unpacked bfcl-eval package, group by group."""
    found = []
    for group in MULTI_TURN_GROUPS:
        file = f"BFCL_v4_{group}.json"
        golds = {row["id"]: row["ground_truth"] for row in _lines(data / "possible_answer" / file)}
        for row in _lines(data / file):
            question = multi_turn_question(row, golds[row["id"]], data.parent)
            reference = BfclMultiTurn.of(question)
            found.append(Conversation(question, reference, gold_turns(question, reference)))
    return found


def plays_of(conversation: Conversation, seed: int) -> Iterator[Play]:
    """The ground truth's calls, and one play of each kind that applies to the conversation."""
    yield Play("gold", conversation.gold)
    for kind, change in CHANGES.items():
        source = random.Random(f"{seed}/{conversation.id}/{kind}")
        turns = [[list(step) for step in turn] for turn in conversation.gold]
        if (changed := change(conversation, turns, source)) is not None:
            yield Play(kind, changed)


Change = Callable[[Conversation, Steps, random.Random], Steps | None]


def _busy(turns: Steps) -> list[int]:
    return [index for index, turn in enumerate(turns) if turn]


def _dropped_call(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    step = turns[source.choice(_busy(turns))][0]
    del step[source.randrange(len(step))]
    return turns


def _wrong_value(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    places = [
        (step, index) for turn in turns for step in turn for index, call in enumerate(step) if call.arguments
    ]
    if not places:
        return None
    step, index = source.choice(places)
    arguments = dict(step[index].arguments)
    name = source.choice(sorted(arguments))
    arguments[name] = _other(arguments[name])
    step[index] = ToolCall(name=step[index].name, arguments=arguments)
    return turns


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case list():
            return value[:-1]
        case dict():
            return {name: _other(one) for name, one in value.items()}
        case _:
            return "x"


def _wrong_parameter(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    step = turns[source.choice(_busy(turns))][0]
    index = source.randrange(len(step))
    arguments = {"no_such_parameter": 1, **step[index].arguments}
    step[index] = ToolCall(name=step[index].name, arguments=arguments)
    return turns


def _repeated_call(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    step = turns[source.choice(_busy(turns))][0]
    index = source.randrange(len(step))
    step.insert(index, step[index])
    return turns


def _turn_skipped(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    turns[source.choice(_busy(turns))] = []
    return turns


def _turn_unheard(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    """A text without a readable call in each step."""
    turns[source.choice(_busy(turns))] = [[], []]
    return turns


def _wrong_order(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    long = [index for index in _busy(turns) if len(turns[index][0]) > 1]
    if not long:
        return None
    turns[source.choice(long)][0].reverse()
    return turns


def _turns_swapped(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    if len(turns) < 2:
        return None
    index = source.randrange(len(turns) - 1)
    turns[index], turns[index + 1] = turns[index + 1], turns[index]
    return turns


def _unknown_function(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    turns[source.choice(_busy(turns))].append([ToolCall(name="no_such_function", arguments={"a": 1})])
    return turns


def _missing_function(conversation: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    """Calls of a held-out function in a turn before it is offered; elsewhere of another class's function."""
    names = {name for turn in conversation.reference.missed.values() for name in turn}
    first = min(conversation.reference.missed, default=0)
    calls = [call for turn in turns for step in turn for call in step if call.name in names]
    if first and calls:
        turns[source.randrange(first)].append([source.choice(calls)])
        return turns
    absent = [name for one, name in HARMLESS.items() if one not in conversation.reference.involved_classes]
    turns[source.choice(_busy(turns))].append([ToolCall(name=source.choice(absent), arguments={})])
    return turns


def _harmless_call(conversation: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    known = [HARMLESS[one] for one in conversation.reference.involved_classes if one in HARMLESS]
    if not known:
        return None
    arguments: dict[str, Any] = {}
    name = source.choice(known)
    if name == "displayCarStatus":
        arguments = {"option": "fuel"}
    turns[source.randrange(len(turns))].insert(0, [ToolCall(name=name, arguments=arguments)])
    return turns


def _called_when_nothing_can_be_done(
    conversation: Conversation, turns: Steps, source: random.Random
) -> Steps | None:
    idle = [index for index, texts in enumerate(conversation.reference.ground_truth) if not texts]
    calls = [call for turn in turns for step in turn for call in step]
    if not idle:
        return None
    turns[source.choice(idle)] = [[source.choice(calls)]]
    return turns


def _one_call_a_step(_: Conversation, turns: Steps, __: random.Random) -> Steps | None:
    return [[[call] for step in turn for call in step] for turn in turns]


def _ended_early(_: Conversation, turns: Steps, source: random.Random) -> Steps | None:
    return turns[: source.randrange(1, len(turns))] if len(turns) > 1 else None


CHANGES: dict[str, Change] = {
    "dropped_call": _dropped_call,
    "wrong_value": _wrong_value,
    "wrong_parameter": _wrong_parameter,
    "repeated_call": _repeated_call,
    "turn_skipped": _turn_skipped,
    "turn_unheard": _turn_unheard,
    "wrong_order": _wrong_order,
    "turns_swapped": _turns_swapped,
    "unknown_function": _unknown_function,
    "missing_function": _missing_function,
    "harmless_call": _harmless_call,
    "called_when_nothing_can_be_done": _called_when_nothing_can_be_done,
    "one_call_a_step": _one_call_a_step,
    "ended_early": _ended_early,
}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
