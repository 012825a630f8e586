"""Wrong and other right answers to BFCL's items, made from their golds. Not a test.

A mutation gives the calls of a turn, or None where it does not apply to the item.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from components.contracts.records import ToolCall
from components.ingest.bfcl_golds import first_calls
from components.scoring.bfcl.reference import BfclReference

Calls = list[ToolCall]
IGNORED = " ,./-_*^"
OTHER_MARKS = ";:!?'\"()[]{}\n"
EDITED = IGNORED + OTHER_MARKS + "nLfFx07"


@dataclass(frozen=True)
class Item:
    """One row. golds: its first accepted turn; empty for relevance and irrelevance."""

    id: str
    reference: BfclReference
    golds: tuple[ToolCall, ...]


def _on_argument(
    change: Callable[[Any, random.Random], Any],
) -> Callable[[Item, random.Random], Calls | None]:
    """A mutation that replaces one argument's value; it applies where `change` gives another JSON text."""

    def mutate(item: Item, source: random.Random) -> Calls | None:
        places = [(i, name) for i, call in enumerate(item.golds) for name in call.arguments]
        source.shuffle(places)
        for index, name in places:
            value = item.golds[index].arguments[name]
            changed = change(value, source)
            if json.dumps(changed) != json.dumps(value):
                return _with(item, index, {**item.golds[index].arguments, name: changed})
        return None

    return mutate


def _everywhere(change: Callable[[Any, random.Random], Any]) -> Callable[[Item, random.Random], Calls | None]:
    """A mutation of every plain value, however deep."""

    def deep(value: Any, source: random.Random) -> Any:
        if isinstance(value, list):
            return [deep(one, source) for one in value]
        if isinstance(value, dict):
            return {key: deep(one, source) for key, one in value.items()}
        return change(value, source)

    def mutate(item: Item, source: random.Random) -> Calls | None:
        calls = [call.model_copy(update={"arguments": deep(call.arguments, source)}) for call in item.golds]
        return calls if calls != list(item.golds) or _texts(calls) != _texts(item.golds) else None

    return mutate


def _texts(calls: Any) -> list[str]:
    return [json.dumps(call.arguments) for call in calls]


def _with(item: Item, index: int, arguments: Mapping[str, Any]) -> Calls:
    calls = list(item.golds)
    calls[index] = calls[index].model_copy(update={"arguments": dict(arguments)})
    return calls


def _other_accepted(item: Item, source: random.Random) -> Calls | None:
    def shuffled(allowed: Any) -> Any:
        if isinstance(allowed, dict):
            return {key: shuffled(one) for key, one in allowed.items()}
        if not isinstance(allowed, list):
            return allowed
        return [
            shuffled(one) if isinstance(one, dict) else one for one in source.sample(allowed, len(allowed))
        ]

    answers = [
        {name: {key: shuffled(allowed) for key, allowed in table.items()} for name, table in answer.items()}
        for answer in item.reference.possible_answers
    ]
    return list(first_calls(answers, item.reference.functions, item.reference.group))


def _missing(item: Item, source: random.Random) -> Calls | None:
    index = source.randrange(len(item.golds))
    arguments = dict(item.golds[index].arguments)
    if not arguments:
        return None
    del arguments[source.choice(list(arguments))]
    return _with(item, index, arguments)


def _extra(item: Item, source: random.Random) -> Calls | None:
    index = source.randrange(len(item.golds))
    return _with(
        item, index, {**item.golds[index].arguments, "unheard_of": source.choice([1, "x", [2], None])}
    )


def _declared_extra(item: Item, source: random.Random) -> Calls | None:
    index = source.randrange(len(item.golds))
    call = item.golds[index]
    function = next(one for one in item.reference.functions if one["name"] == call.name)
    left = sorted(function["parameters"]["properties"].keys() - call.arguments.keys())
    if not left:
        return None
    return _with(item, index, {**call.arguments, source.choice(left): source.choice(["", 0, "x", False, []])})


def _renamed_parameter(item: Item, source: random.Random) -> Calls | None:
    index = source.randrange(len(item.golds))
    arguments = item.golds[index].arguments
    if not arguments:
        return None
    chosen = source.choice(list(arguments))
    return _with(item, index, {(f"{k}_" if k == chosen else k): v for k, v in arguments.items()})


def _wrong_name(item: Item, source: random.Random) -> Calls | None:
    index = source.randrange(len(item.golds))
    calls = list(item.golds)
    others = [one["name"] for one in item.reference.functions if one["name"] != calls[index].name]
    name = source.choice([*others, calls[index].name.upper(), calls[index].name.replace(".", "_") + "_"])
    calls[index] = calls[index].model_copy(update={"name": name})
    return calls


def _swapped(item: Item, source: random.Random) -> Calls | None:
    return list(reversed(item.golds)) if len(item.golds) > 1 else None


def _shuffled(item: Item, source: random.Random) -> Calls | None:
    return source.sample(item.golds, len(item.golds)) if len(item.golds) > 2 else None


def _dropped(item: Item, source: random.Random) -> Calls | None:
    index = source.randrange(len(item.golds))
    return [call for place, call in enumerate(item.golds) if place != index]


def _duplicated(item: Item, source: random.Random) -> Calls | None:
    return [*item.golds, source.choice(item.golds)]


def _replaced_by_another(item: Item, source: random.Random) -> Calls | None:
    """As many calls as wanted, one of them twice."""
    if len(item.golds) < 2:
        return None
    first, second = source.sample(range(len(item.golds)), 2)
    calls = list(item.golds)
    calls[first] = calls[second]
    return calls


def _other_value(value: Any, source: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + source.choice([1, -1, 0.5])
    if isinstance(value, str):
        return source.choice([f"{value}x", f"no {value}", value[: len(value) // 2]])
    if isinstance(value, list):
        return [*value, *value[:1]] if source.random() < 0.5 else value[1:]
    return {**value, next(iter(value), "x"): "other"} if isinstance(value, dict) else 0


def _other_type(value: Any, source: random.Random) -> Any:
    return source.choice([str(value), [value], {"value": value}, None, 1, 1.0, True, "", [], {}])


def _nested(value: Any, source: random.Random) -> Any:
    if isinstance(value, list) and value:
        index = source.randrange(len(value))
        inner = _nested(value[index], source) if isinstance(value[index], dict | list) else [value[index]]
        choices = [
            value[::-1],
            [*value, value[-1]],
            value[:-1],
            [*value[:index], inner, *value[index + 1 :]],
            [*value[:index], _other_value(value[index], source), *value[index + 1 :]],
            [*value[:index], "x", *value[index + 1 :]],
            [value],
        ]
        return source.choice(choices)
    if isinstance(value, dict) and value:
        key = source.choice(list(value))
        rest = {name: one for name, one in value.items() if name != key}
        changed = source.choice([_other_value, _nested, _other_type])(value[key], source)
        return source.choice(
            [rest, {**value, "unheard_of": 1}, {**value, key: changed}, {f"{key}x": 1, **rest}]
        )
    return value


def _sprinkled(marks: str) -> Callable[[Any, random.Random], Any]:
    def change(value: Any, source: random.Random) -> Any:
        if not isinstance(value, str):
            return value
        place = source.randrange(len(value) + 1)
        return value[:place] + source.choice(marks) + value[place:]

    return change


def _edited(value: Any, source: random.Random) -> Any:
    """A text with up to four characters removed, replaced or put in: what readers of written values trip over."""
    if not isinstance(value, str):
        return value
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(value) + 1)
        value = (
            value[:place] + source.choice(["", source.choice(EDITED)]) + value[place + source.randint(0, 1) :]
        )
    return value


def _number_as_text(value: Any, source: random.Random) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _other_number(value: Any, source: random.Random) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return float(value)
    return int(value) if isinstance(value, float) and value == int(value) else value


def _truth_for_number(value: Any, source: random.Random) -> Any:
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else value


def _emptied(value: Any, source: random.Random) -> Any:
    return type(value)() if isinstance(value, str | list | dict) else None


MUTATIONS: Mapping[str, Callable[[Item, random.Random], Calls | None]] = {
    "other_accepted": _other_accepted,
    "wrong_value": _on_argument(_other_value),
    "wrong_type": _on_argument(_other_type),
    "missing_parameter": _missing,
    "extra_parameter": _extra,
    "declared_parameter": _declared_extra,
    "renamed_parameter": _renamed_parameter,
    "wrong_name": _wrong_name,
    "case": _everywhere(lambda value, source: value.swapcase() if isinstance(value, str) else value),
    "ignored_punctuation": _everywhere(_sprinkled(IGNORED)),
    "other_punctuation": _on_argument(_sprinkled(OTHER_MARKS)),
    "edited_text": _on_argument(_edited),
    "edited_texts": _everywhere(_edited),
    "number_as_text": _on_argument(_number_as_text),
    "other_number": _everywhere(_other_number),
    "truth_for_number": _everywhere(_truth_for_number),
    "null": _on_argument(lambda value, source: None),
    "emptied": _on_argument(_emptied),
    "as_list": _on_argument(lambda value, source: [value]),
    "nested": _on_argument(_nested),
    "swapped_calls": _swapped,
    "shuffled_calls": _shuffled,
    "dropped_call": _dropped,
    "duplicated_call": _duplicated,
    "repeated_call": _replaced_by_another,
}
