"""Sequences of rounds against brute force: who is best and handed on, who hurt, when it ends, what goes along."""

import itertools
import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from kfp import dsl

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from tests.rounds_samples import BASE, BETTER, Policy, Shop, practised, write_adapter

RIGHT_OF_BASE = 8


@dataclass(frozen=True)
class Outcome:
    """What becomes of a round.

    right: right answers of 20 that need a tool. silent: its policy calls no tool. collapses: what its policy then
    samples is poor. idle: there is nothing to train on, so that it has no policy of its own.
    """

    right: int = 0
    silent: bool = False
    collapses: bool = False
    idle: bool = False

    @property
    def policy(self) -> Policy:
        return Policy(right=self.right, called=0 if self.silent else 15)


@dataclass(frozen=True)
class Expected:
    """The best round, the one whose adapter is handed on, those that hurt, and the one that ended it all, if any."""

    best: int
    handed_on: int
    hurt: list[int]
    ended: int | None


def expected(outcomes: Sequence[Outcome]) -> Expected:
    """From the rule as it is written, all rounds at once.

    A round hurts by a fall of more than 2 of 40 right answers against the best before it that did not hurt, and by
    calling no tool.
    """
    rights = [RIGHT_OF_BASE, *(one.right for one in outcomes)]
    numbers = range(1, len(rights))

    def best_of(chosen: Iterable[int]) -> int:
        return min(chosen, key=lambda number: (-rights[number], number))

    def idle(number: int) -> bool:
        return outcomes[number - 1].idle

    hurt: list[int] = []
    for number in numbers:
        before = best_of(one for one in range(number) if one not in hurt and (not one or not idle(one)))
        if not idle(number) and (rights[number] < rights[before] - 2 or outcomes[number - 1].silent):
            hurt.append(number)

    ends = [one for one in numbers if one in hurt or idle(one) or (one > 1 and outcomes[one - 2].collapses)]
    ended = min(ends, default=None)
    held = [one for one in numbers if not idle(one) and (ended is None or one <= ended)]
    left = [one for one in held if one not in hurt]
    return Expected(
        best=best_of([0, *left]),
        handed_on=best_of(left or held[:1]),
        hurt=[one for one in held if one in hurt],
        ended=ended,
    )


SEQUENCES = [
    (Outcome(10, collapses=True), Outcome(12), Outcome(14)),  # ended by practice, and yet the best
    (Outcome(9), Outcome(14, collapses=True), Outcome(13), Outcome(20)),  # practice judges nobody anew
    (Outcome(12), Outcome(14, collapses=True), Outcome(5), Outcome(20)),  # both at once
    (Outcome(12, collapses=True), Outcome(1), Outcome(20)),
    (Outcome(1), Outcome(20), Outcome(20)),  # the first hurt, and is all there is
    (Outcome(7), Outcome(6), Outcome(4), Outcome(20)),  # all below the base model
    (Outcome(9), Outcome(9), Outcome(12), Outcome(10, collapses=True), Outcome(11)),
    (Outcome(9), Outcome(18, silent=True), Outcome(20)),  # the most accurate hurt
    (
        Outcome(12),
        Outcome(10),
        Outcome(idle=True),
        Outcome(20),
    ),  # the newest is not the best, and goes no further
    (Outcome(12, collapses=True), Outcome(idle=True), Outcome(20)),
]
_random = random.Random(4)
SEQUENCES += [
    tuple(
        Outcome(
            _random.randint(7, 13),
            silent=_random.random() < 0.08,
            collapses=_random.random() < 0.2,
            idle=number > 0 and _random.random() < 0.1,
        )
        for number in range(_random.randint(2, 5))
    )
    for _ in range(24)
]


def go(shop: Shop, outcomes: Sequence[Outcome]) -> dict[int, dict[str, str]]:
    """Take a shop through the rounds; the digests of what each trained round had."""
    # Where 2 of 40 answers were lost the interval reaches zero: only falls beyond the margin hurt.
    shop.settings = json.dumps({"samples": 100, "margin": 2 / 40, "confidence": 0.99})
    made: dict[int, dict[str, str]] = {}
    collapsed = False
    for number, outcome in enumerate(outcomes, start=1):
        if shop.method == "none":
            at = shop.records()[-1].best_adapter_round
            shop.hand_on(outcomes[at - 1].policy)
            continue
        traces = practised(1 if collapsed else 40)
        if outcome.idle:
            shop.idle(outcomes[number - 2].policy, traces=traces)
            continue
        shop.train(outcome.policy, traces=traces)
        made[number] = {name: shop.inputs[name].digest for name in ("adapter", "labeled", "evaluation")}
        collapsed = outcome.collapses
    return made


@pytest.mark.parametrize("outcomes", SEQUENCES)
def test_against_brute_force(outcomes: tuple[Outcome, ...], tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin(Outcome(RIGHT_OF_BASE).policy)
    made = go(shop, outcomes)
    wanted = expected(outcomes)
    records = shop.records()
    last = records[-1]
    assert (last.best, last.best_adapter_round) == (wanted.best, wanted.handed_on)
    assert [record.number for record in records if record.hurt] == wanted.hurt
    assert [record.number for record in records if record.ended] == (
        list(range(wanted.ended, len(records))) if wanted.ended else []
    )
    assert [record.number for record in records[1:] if not record.handed_on] == list(made)
    kept = {
        "adapter": open_artifact(shop.output / "best", "adapter/1").digest,
        "labeled": open_artifact(shop.output / "best_labeled", "labeled_traces/1").digest,
        "evaluation": open_artifact(shop.output / "best_evaluation", "evaluation/1").digest,
    }
    assert kept == made[wanted.handed_on], "what the best was trained on and how it was judged go with it"
    assert last.best_adapter == kept["adapter"]
    newest = made[max(made)]["adapter"]
    assert shop.digest("next_adapter") == (kept["adapter"] if wanted.ended else newest)
    assert shop.method == ("none" if wanted.ended else "sft")


def test_all_short_sequences_agree_with_brute_force(tmp_path: Path) -> None:
    first = [Outcome(right, collapses=collapses) for right in (7, 10, 4) for collapses in (False, True)]
    second = [Outcome(4), Outcome(7), Outcome(10), Outcome(12), Outcome(12, silent=True), Outcome(idle=True)]
    for index, outcomes in enumerate(itertools.product(first, second)):
        shop = Shop(tmp_path / str(index)).begin(Outcome(RIGHT_OF_BASE).policy)
        go(shop, outcomes)
        last, wanted = shop.records()[-1], expected(outcomes)
        assert (last.best, last.best_adapter_round) == (wanted.best, wanted.handed_on), outcomes


def test_what_a_policy_sampled_ends_the_rounds_and_judges_nobody_anew(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin()
    shop.train(BETTER)
    assert shop.train(replace(BASE, right=11), traces=practised(1)) == "none"
    _, one, two = shop.records()
    assert (one.hurt, one.ended, two.hurt, two.ended) == (
        False,
        "",
        False,
        "what round 1 sampled had collapsed",
    )
    assert (two.compared_with, two.best, two.best_adapter_round) == (1, 1, 1)
    assert two.verdict == (
        "It did not hurt, with an accuracy of 65.0 %; round 1 is still the best. What round 1 sampled had collapsed: "
        "diversity collapse. Later rounds hand the adapter of round 1 on."
    )
    summary = json.loads((shop.output / "history/summary.json").read_text())
    assert (summary["hurt"], summary["alarms"]) == ([], {"1": ["diversity_collapse"]})
    assert summary["ended"] == two.ended
    assert (shop.metrics["round_1_hurt"], shop.metrics["round_1_alarms"]) == (0, 1)
    shop.hand_on(BETTER)
    assert shop.records()[-1].verdict == (
        "Handed on: what round 1 sampled had collapsed, so that nothing was trained and nothing is compared anew."
    )


def test_a_round_may_hurt_where_practice_had_collapsed_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin()
    shop.train(BETTER)
    shop.train(replace(BASE, right=0), traces=practised(1))
    two = shop.records()[-1]
    assert (two.hurt, two.best, two.best_adapter_round) == (True, 1, 1)
    assert two.verdict == (
        "Round 2 hurt: accuracy fall. What round 1 sampled had collapsed: diversity collapse. Later rounds hand the "
        "adapter of round 1 on."
    )
    shop.hand_on(BETTER)
    assert shop.records()[-1].verdict.startswith(
        "Handed on: round 2 hurt and what round 1 sampled had collapsed, so that"
    )


def test_nothing_to_train_on_ends_the_rounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = Shop(tmp_path).begin()
    shop.train(BETTER)
    newest = replace(BETTER, right=11)
    shop.train(newest)
    assert shop.idle(newest) == "none"
    three = shop.records()[-1]
    assert (three.handed_on, three.hurt, three.differences) == (True, False, {})
    assert three.ended == "there was nothing to train on in round 3"
    assert (three.best, three.sampler) == (1, 2)
    assert three.practice is not None
    assert three.practice.traces == 60
    said = "Handed on: there was nothing to train on in round 3, so that nothing was trained"
    assert f"[rounds] round 3: {said}" in capsys.readouterr().out
    assert three.verdict in shop.page()
    assert shop.digest("next_adapter") == shop.digest("best") == shop.records()[1].adapter
    assert shop.hand_on(BETTER) == "none"
    assert shop.records()[-1].verdict == three.verdict


def test_rounds_are_called_as_the_pipeline_calls_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Shop(tmp_path).begin()
    shop.replaced["noun"] = "iteration"
    shop.train(BETTER, title="warm-up")
    shop.train(replace(BETTER, right=14), title="iteration 1")
    shop.train(replace(BETTER, right=3), traces=practised(1), title="iteration 2")
    shop.hand_on(replace(BETTER, right=14))
    assert [record.title for record in shop.records()] == [
        "base model",
        "warm-up",
        "iteration 1",
        "iteration 2",
        "iteration 4",
    ]
    assert [record.verdict for record in shop.records()[2:4]] == [
        "The best so far, with an accuracy of 72.5 %; before it warm-up was.",
        "Iteration 2 hurt: accuracy fall. What iteration 1 sampled had collapsed: diversity collapse. Later iterations "
        "hand the adapter of iteration 1 on.",
    ]
    assert "against iteration 1 (" in shop.records()[3].alarms[0].sentence
    assert "in what iteration 1 sampled is" in shop.records()[3].alarms[1].sentence
    said = capsys.readouterr().out
    assert "severe alarm accuracy_fall of iteration 2" in said
    assert "severe alarm diversity_collapse of iteration 1" in said
    page = shop.page()
    assert "Iteration 1 is the best: right on 72.5 %" in page
    assert not re.search(r"\brounds? \d|\b(?:the|each) rounds?\b", page + said)
    summary = json.loads((shop.output / "history/summary.json").read_text())
    assert summary["noun"] == "iteration"


def test_traces_of_users_and_teachers_do_not_hide_a_collapse(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin()
    users = [one.model_copy(update={"model": ""}) for one in practised(300, 300)]
    shop.brought = [*users, *(one.model_copy(update={"model": "hf://a/teacher"}) for one in practised(9, 9))]
    shop.train(BETTER)
    first = shop.records()[-1].practice
    assert first is not None
    assert (first.traces, first.distinct_texts) == (60, 40 / 60)
    shop.train(BETTER, traces=practised(1))
    assert [alarm.name for alarm in shop.records()[-1].alarms if alarm.severe] == ["diversity_collapse"]


def test_a_round_of_users_traces_alone_has_no_practice(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin()
    shop.brought = [one.model_copy(update={"model": "", "adapter": ""}) for one in practised(3)]
    shop.train(BETTER, traces=())
    assert shop.records()[-1].practice is None


def test_what_goes_along_has_to_be_the_historys(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin()
    shop.train(Policy(right=12, called=18))
    shop.train(Policy(right=14, called=18))
    shop.replaced["best_so_far"] = dsl.Model(uri=str(write_adapter(tmp_path / "other", "other").folder))
    with pytest.raises(InputError, match=r"best_so_far: adapter .*, expected adapter .* of round 2"):
        shop.train(Policy(right=14, called=18))
    shop = Shop(tmp_path / "again").begin()
    shop.train(Policy(right=12, called=18))
    shop.replaced["best_labeled_so_far"] = None
    with pytest.raises(
        InputError, match=r"best_labeled_so_far: absent, expected labeled traces .* of round 1"
    ):
        shop.train(Policy(right=12, called=18))
