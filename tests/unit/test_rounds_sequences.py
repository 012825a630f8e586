"""Sequences of rounds against brute force: who is best, who is handed on, when it ends, what goes along."""

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from kfp import dsl

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.rounds.records import RoundRecord
from tests.rounds_samples import BASE, BETTER, Policy, Shop, practised, write_adapter

RIGHT_OF_BASE = 8


@dataclass(frozen=True)
class Outcome:
    """What becomes of a round: right answers of 20 that need a tool; whether what its policy then samples is poor."""

    right: int
    collapses: bool = False


def expected(outcomes: Sequence[Outcome]) -> tuple[int, int, int | None]:
    """By brute force: the best round, the one handed on, and the round that ended it all, if any.

    A fall of more than 2 of 40 right answers against the best that is left hurts.
    """
    rights = [RIGHT_OF_BASE, *(one.right for one in outcomes)]
    barred: set[int] = set()

    def best_of(numbers: Sequence[int]) -> int:
        return sorted(numbers, key=lambda number: (-rights[number], number))[0]

    seen, ended = [0], None
    for number in range(1, len(rights)):
        if number > 1 and outcomes[number - 2].collapses:
            barred.add(number - 1)
            ended = number
        if rights[number] < rights[best_of([one for one in seen if one not in barred])] - 2:
            barred.add(number)
            ended = number
        seen.append(number)
        if ended:
            break
    left = [number for number in seen[1:] if number not in barred]
    return best_of([0, *left]), best_of(left or seen[1:]), ended


SEQUENCES = [
    (Outcome(10, collapses=True), Outcome(12), Outcome(14)),  # the better second round is not barred
    (Outcome(9), Outcome(14, collapses=True), Outcome(10), Outcome(20)),  # the third, better than the first
    (Outcome(12), Outcome(14, collapses=True), Outcome(10), Outcome(20)),  # the first again: the spare
    (Outcome(12), Outcome(14, collapses=True), Outcome(5), Outcome(20)),  # and the third hurt, too
    (Outcome(12, collapses=True), Outcome(1), Outcome(20)),  # none is left: the most accurate
    (Outcome(1), Outcome(20), Outcome(20)),  # the first hurt
    (Outcome(9), Outcome(9), Outcome(12), Outcome(10, collapses=True), Outcome(11)),
    (Outcome(9), Outcome(12), Outcome(10), Outcome(10, collapses=True), Outcome(12)),
]
_random = random.Random(4)
SEQUENCES += [
    tuple(Outcome(_random.randint(7, 13), _random.random() < 0.25) for _ in range(_random.randint(2, 5)))
    for _ in range(24)
]


def go(shop: Shop, outcomes: Sequence[Outcome]) -> dict[int, dict[str, str]]:
    """Take a shop through the rounds; the digests of what each trained round had."""
    made: dict[int, dict[str, str]] = {}
    collapsed = False
    for number, outcome in enumerate(outcomes, start=1):
        if shop.method == "none":
            at = shop.records()[-1].best_adapter_round
            shop.hand_on(Policy(right=outcomes[at - 1].right, called=15))
            continue
        shop.train(Policy(right=outcome.right, called=15), traces=practised(1 if collapsed else 40))
        made[number] = {name: shop.inputs[name].digest for name in ("adapter", "labeled", "evaluation")}
        collapsed = outcome.collapses
    return made


@pytest.mark.parametrize("outcomes", SEQUENCES)
def test_against_brute_force(outcomes: tuple[Outcome, ...], tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin(Policy(right=RIGHT_OF_BASE, called=15))
    # Where 2 of 40 answers were lost the interval reaches zero: only falls beyond the margin hurt.
    shop.settings = json.dumps({"samples": 100, "margin": 2 / 40, "confidence": 0.99})
    made = go(shop, outcomes)
    best, handed_on, ended = expected(outcomes)
    records = shop.records()
    last = records[-1]
    assert (last.best, last.best_adapter_round) == (best, handed_on)
    assert [record.number for record in records if record.ended] == ([ended] if ended else [])
    assert [record.handed_on for record in records[1:]] == [
        ended is not None and number > ended for number in range(1, len(records))
    ]
    kept = {
        "adapter": open_artifact(shop.output / "best", "adapter/1").digest,
        "labeled": open_artifact(shop.output / "best_labeled", "labeled_traces/1").digest,
        "evaluation": open_artifact(shop.output / "best_evaluation", "evaluation/1").digest,
    }
    assert kept == made[handed_on], "what the best was trained on and how it was judged go with it"
    newest = made[max(made)]["adapter"]
    assert shop.digest("next_adapter") == (kept["adapter"] if ended else newest)
    assert shop.method == ("none" if ended else "sft")


def test_all_short_sequences_agree_with_brute_force(tmp_path: Path) -> None:
    kinds = [Outcome(right, collapses) for right in (7, 10, 4) for collapses in (False, True)]
    for index, outcomes in enumerate(itertools.product(kinds, repeat=2)):
        shop = Shop(tmp_path / str(index)).begin(Policy(right=RIGHT_OF_BASE, called=15))
        shop.settings = json.dumps({"samples": 100, "margin": 2 / 40, "confidence": 0.99})
        go(shop, outcomes)
        last = shop.records()[-1]
        assert (last.best, last.best_adapter_round) == expected(outcomes)[:2], outcomes


def records_after_collapse(shop: Shop, second: Policy) -> list[RoundRecord]:
    """Round 1's policy has no variety, which round 2 finds."""
    shop.train(BETTER)
    shop.train(second, traces=practised(1))
    return shop.records()


def test_a_round_is_not_held_against_one_that_it_barred(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin()
    _, one, two = records_after_collapse(shop, replace(BASE, right=8))
    assert (one.hurt, one.ended, one.barred) == (False, False, ())
    assert two.compared_with == 0, "round 1 was better, and is barred"
    assert (two.hurt, two.ended, two.barred, two.best) == (False, True, (1,), 2)
    summary = json.loads((shop.output / "history/summary.json").read_text())
    assert (summary["hurt"], summary["alarms"]) == ([1], {"1": ["diversity_collapse"]})
    assert [one["hurt"] for one in summary["by_round"]] == [False, True, False]
    assert (shop.metrics["round_1_hurt"], shop.metrics["round_2_hurt"]) == (1, 0)


def test_both_can_hurt_at_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin()
    *_, two = records_after_collapse(shop, replace(BASE, right=0))
    assert (two.hurt, two.barred, two.best, two.best_adapter_round) == (True, (1, 2), 0, 1)
    assert two.verdict == (
        "The round hurt: accuracy fall. Round 1 hurt, too, by what it sampled: diversity collapse. Later rounds "
        "hand the adapter of round 1 on. No round that is left is better than the base model."
    )
    shop.hand_on(BETTER)
    assert shop.records()[-1].verdict.startswith("Handed on: round 1 and round 2 hurt, ")


def test_rounds_of_one_adapter_are_barred_together(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin()
    shop.train(BETTER)
    same = open_artifact(shop.output / "best", "adapter/1")
    shop.judge(same, BETTER, practised(40))
    shop.train(replace(BETTER, right=10), traces=practised(1))
    last = shop.records()[-1]
    assert (last.barred, last.best) == ((1, 2), 3)


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
    shop.replaced["spare_so_far"] = dsl.Model(uri=str(write_adapter(tmp_path / "other", "other").folder))
    with pytest.raises(InputError, match=r"spare_so_far: adapter .*, expected adapter .* of round 1"):
        shop.train(Policy(right=10, called=18), traces=practised(1))
    shop = Shop(tmp_path / "again").begin()
    shop.train(Policy(right=12, called=18))
    shop.replaced["best_labeled_so_far"] = None
    with pytest.raises(
        InputError, match=r"best_labeled_so_far: absent, expected labeled traces .* of round 1"
    ):
        shop.train(Policy(right=12, called=18))
