"""Differences between rounds against the bootstrap itself, and each alarm at its threshold."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.contracts.records import LabeledTrace
from components.rounds.records import Alarm
from components.rounds.settings import RoundsSettings
from components.scoring.groups import NEEDS_TOOL, NO_TOOL, OVERALL
from components.scoring.tool_use import METRICS, counts_of, differences, rates
from tests.rounds_samples import BASE, BETTER, Policy, Shop, interval_of, items_of, practised

EVEN = Policy(right=6, called=12)


def alarms_of(
    shop: Shop, policy: Policy, traces: Sequence[LabeledTrace] | None = None, **settings: Any
) -> dict[str, Alarm]:
    """The alarms of one more round."""
    shop.settings = json.dumps({"samples": 400, "min_trained_traces": 0, **settings})
    shop.train(policy, traces=traces)
    return {alarm.name: alarm for alarm in shop.records()[-1].alarms}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path).begin()


def test_rates_and_intervals_are_those_of_scoring(shop: Shop) -> None:
    second = Policy(right=11, called=19, right_no_tool=16, called_no_tool=1)
    shop.train(BETTER)
    shop.train(second)
    record = shop.records()[-1]
    policies = {"base": BASE, "previous": BETTER, "best": BETTER}
    kinds = {
        OVERALL: ("places", "no_tool"),
        NEEDS_TOOL: ("places",),
        NO_TOOL: ("no_tool",),
        "places": ("places",),
    }
    assert set(record.groups) == set(kinds)
    for group, chosen in kinds.items():
        after = [item for item in items_of(second) if item.kind in chosen]
        expected = rates(after)
        assert all(getattr(record.groups[group], metric) == getattr(expected, metric) for metric in METRICS)
        assert record.groups[group].questions == len(after)
        for name, policy in policies.items():
            before = [item for item in items_of(policy) if item.kind in chosen]
            found = differences(
                [counts_of(item) for item in before],
                [counts_of(item) for item in after],
                samples=400,
                seed=19,
            )
            for metric in METRICS:
                interval, own = found[metric], record.differences[name][group][metric]
                assert (interval is None) == (own is None)
                if interval is not None:
                    assert interval_of(own) == interval_of(interval)


def test_the_first_round_is_held_against_the_base_model(shop: Shop) -> None:
    shop.train(BETTER)
    record = shop.records()[-1]
    assert record.compared_with == 0
    assert record.differences["base"] == record.differences["previous"] == record.differences["best"]


def test_a_good_round_has_no_alarm(shop: Shop) -> None:
    assert alarms_of(shop, BETTER) == {}
    assert alarms_of(shop, replace(BETTER, right=14)) == {}


@pytest.mark.parametrize(("right", "hurt"), [(3, False), (2, True)])
def test_a_fall_of_more_than_the_margin(shop: Shop, right: int, hurt: bool) -> None:
    # 5 of 40 is 12.5 points down, of which 5 points are 2 questions.
    assert RoundsSettings().margin == 0.1
    found = alarms_of(shop, replace(BASE, right=right), margin=0.05, confidence=0.999)
    assert shop.records()[-1].hurt == hurt
    assert ("accuracy_fall" in found) == hurt
    if hurt:
        assert found["accuracy_fall"].severe
        assert (found["accuracy_fall"].value, found["accuracy_fall"].threshold) == (
            pytest.approx(-3 / 40),
            -0.05,
        )
        assert "Accuracy fell by 7.5 points against the base model" in found["accuracy_fall"].sentence


def test_a_sure_fall_within_the_margin_hurts_too(shop: Shop) -> None:
    found = alarms_of(shop, replace(BASE, right=0), margin=0.5)
    interval = shop.records()[-1].differences["best"][OVERALL]["accuracy"]
    assert interval is not None
    assert interval.high < 0
    assert (found["accuracy_fall"].value, found["accuracy_fall"].threshold) == (interval.high, 0.0)
    assert "surely: the upper bound is below zero" in found["accuracy_fall"].sentence


def test_tool_use_collapses(shop: Shop) -> None:
    alarms_of(shop, BETTER)
    found = alarms_of(shop, replace(BETTER, right=14, called=1))
    alarm = found["tool_use_collapse"]
    assert (alarm.severe, alarm.value, alarm.threshold) == (True, 1 / 20, 0.1)
    assert alarm.sentence == (
        "A tool is called on 5.0 % of the questions that need one, and on 90.0 % at most before; fewer than "
        "10.0 % is next to none."
    )
    record = shop.records()[-1]
    assert (record.hurt, record.best) == (True, 1), "the most accurate, and yet it can't be the best"


def test_tool_use_that_never_was_does_not_collapse(tmp_path: Path) -> None:
    shop = Shop(tmp_path).begin(replace(BASE, called=1))
    found = alarms_of(shop, replace(BASE, called=0))
    assert not found["tool_use_collapse"].severe
    assert not shop.records()[-1].hurt
    again = alarms_of(shop, replace(BASE, called=2))
    assert "tool_use_collapse" not in again, "exactly the threshold"


def test_tool_use_runs_away_where_none_is_needed(shop: Shop) -> None:
    assert "tool_use_runaway" not in alarms_of(shop, replace(BETTER, called_no_tool=4))
    found = alarms_of(shop, replace(BETTER, called_no_tool=5))
    alarm = found["tool_use_runaway"]
    assert (alarm.severe, alarm.value, alarm.threshold) == (False, 5 / 20, 0.2)
    assert "25.0 %; 20.0 % is the most allowed" in alarm.sentence


def test_tool_use_runs_away_where_no_question_is_known_to_need_none(shop: Shop) -> None:
    everywhere = replace(BETTER, called=20, called_no_tool=20)
    found = alarms_of(shop, everywhere, no_tool_kinds=[])
    assert found["tool_use_runaway"].value == 1.0
    assert "by the base model on 25.0 %" in found["tool_use_runaway"].sentence


def test_a_base_model_that_always_calls_does_not_run_away(tmp_path: Path) -> None:
    everywhere = replace(BASE, called=20, called_no_tool=20)
    shop = Shop(tmp_path).begin(everywhere)
    assert "tool_use_runaway" not in alarms_of(shop, everywhere, no_tool_kinds=[])


def with_logprob(value: float, count: int = 60) -> list[LabeledTrace]:
    """Traces all of whose sampled tokens have this log p."""
    return [
        one.model_copy(
            update={"turns": tuple(t.model_copy(update={"logprobs": (value,) * 3}) for t in one.turns)}
        )
        for one in practised(40, count)
    ]


@pytest.mark.parametrize(("later", "sounds"), [(-0.5, False), (-0.49, True), (0.0, True)])
def test_the_surprise_of_sampled_tokens_collapses(shop: Shop, later: float, sounds: bool) -> None:
    assert alarms_of(shop, BETTER, with_logprob(-1.0)) == {}
    found = alarms_of(shop, BETTER, with_logprob(later))
    assert ("sampled_nats_collapse" in found) == sounds
    if sounds:
        alarm = found["sampled_nats_collapse"]
        assert (alarm.severe, alarm.value, alarm.threshold) == (False, pytest.approx(-later), 0.5)
        assert alarm.sentence.startswith("The mean of -log p over the tokens that round 1 sampled is ")
        assert "at first it was 1.000" in alarm.sentence
    assert not shop.records()[-1].hurt


@pytest.mark.parametrize(
    ("distinct", "sounds", "severe"), [(20, False, False), (19, True, False), (3, True, True)]
)
def test_diversity_collapses(shop: Shop, distinct: int, sounds: bool, severe: bool) -> None:
    # Half of 40 distinct texts in 60 is allowed; less than a tenth is 3.
    assert alarms_of(shop, BETTER, practised(40)) == {}
    found = alarms_of(shop, BETTER, practised(distinct))
    assert ("diversity_collapse" in found) == sounds
    if sounds:
        alarm = found["diversity_collapse"]
        assert (alarm.severe, alarm.value) == (severe, distinct / 60)
        assert alarm.threshold == pytest.approx(20 / 60)
    record = shop.records()[-1]
    assert record.ended == ("what round 1 sampled had collapsed" if severe else "")
    assert not record.hurt, "it is round 1's policy that collapsed"
    assert (record.best, record.best_adapter_round) == (1, 1), "practice judges nobody anew"
    if severe:
        assert record.alarms[0].round == 1
        assert record.verdict.endswith(
            "What round 1 sampled had collapsed: diversity collapse. Later rounds hand the adapter of round 1 on."
        )


def test_few_trained_traces(shop: Shop) -> None:
    assert "few_trained_traces" not in alarms_of(shop, BETTER, practised(40), min_trained_traces=60)
    found = alarms_of(shop, BETTER, practised(40, 59), min_trained_traces=60)
    alarm = found["few_trained_traces"]
    assert (alarm.severe, alarm.value, alarm.threshold) == (False, 59, 60)
    assert alarm.sentence == (
        "Of the 59 traces that round 1 sampled, 59 are trained on; fewer than 60 teach little."
    )


def test_every_alarm_is_one_sentence(shop: Shop) -> None:
    alarms_of(shop, BETTER, with_logprob(-1.0))
    bad = Policy(right=1, called=0, right_no_tool=3, called_no_tool=20)
    silent = [
        one.model_copy(
            update={"turns": tuple(t.model_copy(update={"logprobs": (0.0,) * 3}) for t in one.turns)}
        )
        for one in practised(1, 20)
    ]
    found = alarms_of(shop, bad, silent, min_trained_traces=30)
    assert set(found) == {
        "accuracy_fall",
        "tool_use_collapse",
        "tool_use_runaway",
        "sampled_nats_collapse",
        "diversity_collapse",
        "few_trained_traces",
    }
    for alarm in found.values():
        assert alarm.sentence.endswith(".")
        assert "\n" not in alarm.sentence
        assert alarm.sentence[0].isupper()
