"""`demo://calls`: a generated tool-call set, with trajectories of a teacher that is careless in known places.

Each request offers three or four tools, among them neighbours of the right one whose names begin like its
own. Training and held-out requests share tools, but neither wording nor values; some tools are held out
altogether (kind `unseen_tools`). Of the 240 trajectories 48 are faulty: their first call is wrong
and is told so in words; 8 of these never recover.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from string import Formatter

from pydantic import JsonValue

from components.contracts.records import Question, ToolCall, Trace
from components.ingest.demo_calls_faults import HABITS
from components.ingest.demo_calls_tools import TOOLS
from components.ingest.demo_calls_traces import trajectories
from components.ingest.demo_calls_values import HELD_OUT as HELD_OUT_VALUES
from components.ingest.demo_calls_values import TRAIN as TRAIN_VALUES
from components.ingest.demo_calls_values import Pools, draw_value
from components.ingest.demo_calls_wording import HELD_OUT, TRAIN, Template, Templates

CALLS, UNSEEN_TOOLS = "seen_tools", "unseen_tools"  # kinds; "calls" is a key of summary.json
TRAIN_PER_TOOL = 10
HELD_OUT_PER_TOOL = 4


def demo_calls(
    seed: int, call_format: str = "pythonic"
) -> tuple[list[Trace], list[Question], list[Question]]:
    """(training trajectories, their questions, held-out questions): 240, 240 and 120.

    Deterministic in `seed`. Every question brings its tools along and has one gold, the right call.
    call_format: in which the trajectories' calls are written.

    Raises:
        InputError: there is no call format of that name.
    """
    trained = [name for name, tool in TOOLS.items() if tool.trained]
    unseen = [name for name, tool in TOOLS.items() if not tool.trained]
    train = Side("train", TRAIN, TRAIN_VALUES, seed)
    held_out = Side("held-out", HELD_OUT, HELD_OUT_VALUES, seed)
    questions = train.questions(CALLS, trained, TRAIN_PER_TOOL)
    return (
        trajectories(questions, seed, call_format),
        questions,
        [
            *held_out.questions(CALLS, trained, HELD_OUT_PER_TOOL),
            *held_out.questions(UNSEEN_TOOLS, unseen, HELD_OUT_PER_TOOL),
        ],
    )


@dataclass(frozen=True)
class Side:
    """What the requests of one side are made of."""

    name: str
    templates: Templates
    pools: Pools
    seed: int

    def questions(self, kind: str, names: Sequence[str], count: int) -> list[Question]:
        """`count` different requests for each named tool, tool after tool."""
        draw = random.Random(f"{self.seed} {self.name} {kind}")
        return [
            question
            for name in names
            for question in _distinct(count, partial(self._question, kind, name, draw))
        ]

    def _question(self, kind: str, name: str, draw: random.Random, number: int) -> Question:
        templates = self.templates[name]
        text, arguments = _request(name, templates[number % len(templates)], self.pools, draw)
        offered = [TOOLS[one].schema(one) for one in _offer(name, draw)]
        return Question(
            id=f"{kind}-{self.name}-{name}-{number}",
            text=text,
            kind=kind,
            offered=json.dumps(offered),
            golds=((ToolCall(name=name, arguments=arguments),),),
        )


def _distinct(count: int, make: Callable[[int], Question]) -> list[Question]:
    """`count` questions with different texts; `make` gets a running number that goes through templates."""
    found: dict[str, Question] = {}
    number = 0
    while len(found) < count:
        question = make(number)
        number += 1
        found.setdefault(question.text, question)
    return list(found.values())


def _request(
    name: str, template: Template, pools: Pools, draw: random.Random
) -> tuple[str, dict[str, JsonValue]]:
    """The text with drawn values, and the right arguments in the schema's order."""
    values: dict[str, JsonValue] = {}
    for _, placeholder, _, _ in Formatter().parse(template.text):
        if placeholder:
            pool = TOOLS[name].pool(placeholder)
            values[placeholder] = draw_value(pools, pool, list(values.values()), draw)
    text = template.text.format(**values)
    given = values | dict(template.implied)
    order = [parameter.rstrip("?") for parameter in TOOLS[name].parameters]
    return text, {parameter: given[parameter] for parameter in order if parameter in given}


def _offer(name: str, draw: random.Random) -> list[str]:
    """Three or four names in any order: `name`, one or two neighbours, and others that are trained on."""
    trained = [one for one, tool in TOOLS.items() if tool.trained and one != name]
    family = TOOLS[name].family
    neighbours = [one for one in trained if TOOLS[one].family == family]
    others = [one for one in trained if TOOLS[one].family != family]
    near = draw.sample(neighbours, draw.choice((1, 2)))
    habit = HABITS.get(name)
    if habit is not None and habit.name in neighbours and habit.name not in near:
        near[0] = habit.name
    offered = [name, *near, *draw.sample(others, draw.choice((1, 2)) if len(near) == 1 else 1)]
    draw.shuffle(offered)
    return offered
