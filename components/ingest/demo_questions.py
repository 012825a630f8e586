"""The demo's questions, built from real place data and from word problems with drawn numbers.

Three kinds: `place` needs `wikipedia_search` (towns too small to be known by heart, in PopQA's
manner), `arithmetic` needs `calculator`, `no_tool` needs none. Training and held-out questions differ
in entities (towns, persons), in numbers and in wording: each question is drawn from a template list,
a name list and a number pool of its own side.

    {"id": "place-train-17", "text": "In which country is the town of Szczytno?",
     "answers": ["Poland"], "kind": "place", "subject": "Szczytno"}
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.contracts.records import Question
from components.ingest.demo_places import Place, places
from components.ingest.demo_wording import HELD_OUT, TRAIN, Wording

TRAIN_COUNT = 112
TRAIN_NO_TOOL_COUNT = 168
HELD_OUT_COUNT = 120
HELD_OUT_NO_TOOL_COUNT = 160


def demo_questions(seed: int) -> tuple[list[Question], list[Question]]:
    """(training, held-out) questions: 112, 112 and 168 without a tool to train on; 120, 120 and 160 to judge.

    Deterministic in `seed`. No entity, number or template is on both sides.
    """
    shuffled = list(places())
    random.Random(seed).shuffle(shuffled)
    middle = len(shuffled) // 2
    return (
        _side("train", TRAIN, shuffled[:middle], 0, seed, TRAIN_COUNT, TRAIN_NO_TOOL_COUNT),
        _side("held-out", HELD_OUT, shuffled[middle:], 1, seed, HELD_OUT_COUNT, HELD_OUT_NO_TOOL_COUNT),
    )


def _side(
    side: str, wording: Wording, towns: Sequence[Place], parity: int, seed: int, count: int, no_tool: int
) -> list[Question]:
    draw = random.Random(f"{seed} {side}")
    return [
        *_distinct("place", side, count, lambda i: _place(wording, towns[i], i)),
        *_distinct("arithmetic", side, count, lambda i: _arithmetic(wording, draw, parity, i)),
        *_distinct("no_tool", side, no_tool, lambda i: _no_tool(wording, draw, i)),
    ]


@dataclass(frozen=True)
class _Drawn:
    text: str
    answer: str
    subject: str = ""
    is_number: bool = False


def _distinct(kind: str, side: str, count: int, make: Callable[[int], _Drawn]) -> list[Question]:
    """`count` questions with different texts; `make` gets a running number that goes through templates."""
    found: dict[str, Question] = {}
    number = 0
    while len(found) < count:
        drawn = make(number)
        number += 1
        if drawn.text in found:
            continue
        found[drawn.text] = Question(
            id=f"{kind}-{side}-{len(found)}",
            text=drawn.text,
            answers=(drawn.answer,),
            answer_type="number" if drawn.is_number else "text",
            kind=kind,
            subject=drawn.subject,
        )
    return list(found.values())


def _place(wording: Wording, town: Place, number: int) -> _Drawn:
    relation, template = wording.place[number % len(wording.place)]
    answer = {"country": town.country, "population": str(town.population)}
    return _Drawn(
        template.format(town=town.name),
        answer[relation],
        subject=town.name,
        is_number=relation == "population",
    )


def _arithmetic(wording: Wording, draw: random.Random, parity: int, number: int) -> _Drawn:
    template, compute = wording.arithmetic[number % len(wording.arithmetic)]
    small = [n for n in range(13, 98) if n % 2 == parity]
    large = [n for n in range(211, 4999) if n % 2 == parity]
    a, b, c = draw.choice(small), draw.choice(small), draw.choice(large)
    d = draw.choice([n for n in range(9_500, 14_000) if n % 2 == parity])
    name = draw.choice(wording.names)
    text = template.format(name=name, a=a, b=b, c=c, d=d, e=a * b)
    return _Drawn(text, str(compute(a, b, c, d)), is_number=True)


def _no_tool(wording: Wording, draw: random.Random, number: int) -> _Drawn:
    """A fact in every sixth question, as long as there are any; otherwise the answer is in the question."""
    fact = number // 6
    if number % 6 == 5 and fact < len(wording.facts):
        return _Drawn(*wording.facts[fact])
    template, things = wording.reading[number % len(wording.reading)]
    first, second = draw.sample(wording.names, 2)
    one, other = draw.sample(things, 2)
    asked, answer = draw.choice([(first, one), (second, other)])
    return _Drawn(template.format(first=first, second=second, one=one, other=other, asked=asked), answer)
