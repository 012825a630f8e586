"""A small language with an expander of its own, whose best answer is known: the search without a model (not a test).

A turn is a call, or a refusal. The policy prefers the wrong tool, the wrong city and the wrong number of days, so that
the right call is rare and only searching finds it. Behind a tool's reply it says the reply, or something wrong.

`python -m tests.toy_search FOLDER CHECKPOINTS SECONDS` runs the whole stage on it, each expansion taking that long.
"""

import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from kfp import dsl

from components.contracts.artifacts import write_artifact
from components.contracts.jsonl import write_records
from components.contracts.records import Question
from components.mcts.leaves import Failure, Leaf, Step
from components.mcts.run import run
from components.mcts.states import Language
from tests.gold_questions import OFFERED, call

WORDS = (
    "<stop>",
    "[",
    "weather(",
    "weather_map(",
    'city="Oslo"',
    'city="Rome"',
    ', days="3"',
    ', days="4"',
    ")]",
    "I do not know.",
    'calculator(expression="3 + 4")',
    'calculator(expression="3 - 4")',
    "]",
    "It is ",
    "7",
    "-1",
    "twelve",
    " hm",
)
IDS = {word: number for number, word in enumerate(WORDS)}
STOP = 0
BEST = '[weather(city="Oslo", days="3")]'

Choice = tuple[float, str]  # probability, the words of a step


def decode(token_ids: Sequence[int]) -> str:
    ids = list(token_ids)
    return "".join(WORDS[one] for one in (ids[:-1] if ids and ids[-1] == STOP else ids))


LANGUAGE = Language(
    decode, (STOP,), "pythonic", native_tools=False, template_hash="toy", model="toy", adapter=""
)


def gold_questions(count: int) -> list[Question]:
    golds = ((call("weather", city="Oslo", days="3"),),)
    return [
        Question(id=f"q{number}", text=f"The weather, {number}?", offered=OFFERED, golds=golds)
        for number in range(count)
    ]


def choices(leaf: Leaf) -> list[Choice]:
    """The next steps, each its words with | between tokens, and how likely they are."""
    said = decode(leaf.path)
    last = leaf.prompt.messages[-1]
    if last.role == "tool":
        if not said:
            return [(1.0, "It is ")]
        reply = last.content if last.content in IDS else "twelve"
        return [(0.7, f"{reply}|<stop>"), (0.3, "twelve|<stop>")]
    if "calculator" in str(leaf.prompt.messages[0].content) + str(leaf.prompt.tools):
        return [
            (0.6, '[|calculator(expression="3 - 4")|]|<stop>'),
            (0.2, '[|calculator(expression="3 + 4")|]|<stop>'),
            (0.2, "It is |twelve|<stop>"),
        ]
    if not said:
        return [(0.6, "[|weather_map("), (0.25, "[|weather("), (0.1, "I do not know.|<stop>"), (0.05, " hm")]
    if said.endswith("("):
        return [(0.7, 'city="Rome"'), (0.3, 'city="Oslo"')]
    if said.startswith("[weather("):
        return [(0.6, ', days="4"|)]|<stop>'), (0.3, ', days="3"|)]|<stop>'), (0.1, ")]|<stop>")]
    return [(1.0, ")]|<stop>")]


class ToyExpander:
    """`leaves.Expands` for the language. seconds: that an expansion of a batch takes.

    batches: how many leaves each had, and how many trees they were of. leaves: all of them.
    """

    def __init__(self, seconds: float = 0.0, fails: Sequence[str] = ()) -> None:
        self.seconds = seconds
        self.fails = fails
        self.batches: list[tuple[int, int]] = []
        self.leaves: list[Leaf] = []
        self.policy = SimpleNamespace(
            chat=SimpleNamespace(
                decode=decode,
                stop_ids=(STOP,),
                call_format="pythonic",
                native_tools=False,
                template_hash="toy",
            )
        )

    def expand(self, leaves: Sequence[Leaf]) -> list[list[Step] | Failure]:
        time.sleep(self.seconds)
        self.batches.append((len(leaves), len({leaf.question.id for leaf in leaves})))
        self.leaves += leaves
        return [self._expand(leaf) for leaf in leaves]

    def _expand(self, leaf: Leaf) -> list[Step] | Failure:
        if decode(leaf.path) in self.fails:
            return Failure("out of room")
        random_ = random.Random(leaf.seed)
        steps: dict[tuple[int, ...], Step] = {}
        for _ in range(leaf.width):
            step = self._sample(leaf, random_)
            steps.setdefault(step.token_ids, step)
        return list(steps.values())

    def _sample(self, leaf: Leaf, random_: random.Random) -> Step:
        ids, probability = _draw(leaf, random_)
        logprobs = tuple(probability / len(ids) for _ in ids)
        evaluation = 0.5 + 0.2 * (random_.random() - 0.5)
        if decode(ids) == " hm":
            return Step(ids, logprobs, False, " hm", (), False, evaluation)
        if ids[-1] == STOP:
            return Step(ids, logprobs, True, decode(ids), self_evaluation=evaluation)
        rest: tuple[int, ...] = ()
        while not rest or (rest[-1] != STOP and decode(rest[-1:]) != " hm"):
            rest += _draw(Leaf(leaf.question, leaf.prompt, leaf.path + ids + rest, 0, 1, 1), random_)[0]
        return Step(ids, logprobs, False, decode(ids), rest, rest[-1] == STOP, evaluation)


def _draw(leaf: Leaf, random_: random.Random) -> tuple[tuple[int, ...], float]:
    """Ids of one step, and its log-probability (not quite, but always below 0)."""
    options = choices(leaf)
    chosen = random_.choices(options, [weight for weight, _ in options])[0]
    return tuple(IDS[word] for word in chosen[1].split("|")), chosen[0] - 1.01


def run_stage(
    folder: Path,
    checkpoints: str,
    expander: ToyExpander,
    *,
    trees: int = 12,
    method: str = "",
    store: str = "",
    questions: Sequence[Question] | None = None,
    **settings: object,
) -> dsl.Metrics:
    """The stage on `trees` questions, its outputs in `folder`, with the toy in place of the model's expander.

    The toy finds the first question the hardest, and so on.
    """
    with write_artifact(folder / "questions", "questions/1") as writer:
        write_records(
            writer.folder / "train.jsonl", gold_questions(trees) if questions is None else questions
        )
    chosen = {"simulations": 24, "concurrent": 4, "leaves": 2, "alpha": 1.0, **settings}
    metrics = dsl.Metrics(uri="metrics")
    with (
        mock.patch("components.mcts.run.open_expander", return_value=expander),
        mock.patch(
            "components.mcts.run.measure",
            lambda asked, *_: [1.0 + len(asked) - n for n, _ in enumerate(asked)],
        ),
    ):
        run(
            dsl.Dataset(uri=str(folder / "questions")),
            "toy",
            "http://127.0.0.1:9",
            json.dumps(chosen),
            store,
            checkpoints,
            dsl.Dataset(uri=str(folder / "pairs")),
            dsl.Dataset(uri=str(folder / "trees")),
            metrics,
            dsl.HTML(uri=str(folder / "report.html")),
            method=method,
        )
    return metrics


if __name__ == "__main__":
    run_stage(Path(sys.argv[1]), sys.argv[2], ToyExpander(float(sys.argv[3])))
