"""Signs that self-training collapses, each with its numbers in one sentence.

A severe alarm ends the rounds. Accuracy and tool use are the new policy's, whose round hurt by a severe one. What
practice tells is about the policy that sampled it, with which the round began, and is held against the first
round's; it changes nothing about which round is best.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from components.rounds.records import Alarm, Difference, GroupRates, Practice, RoundRecord
from components.rounds.settings import RoundsSettings
from components.rounds.words import called, percent, points, points_between
from components.scoring.groups import NEEDS_TOOL, NO_TOOL, OVERALL


class Sampler(NamedTuple):
    """The round whose policy sampled what a round practised, and what sentences call it."""

    number: int
    name: str


_ROUNDING = 1e-9  # shares are sums of counts: exactly a threshold must not be past it by a rounding error


def sound_practice(
    practice: Practice | None, earlier: Sequence[RoundRecord], settings: RoundsSettings
) -> tuple[Alarm, ...]:
    """The alarms of what the round after `earlier` (from the base model on) practised."""
    if practice is None:
        return ()
    first = next((record.practice for record in earlier if record.practice is not None), None)
    number = earlier[-1].next_begins_with
    sampler = Sampler(number, called(earlier, number))
    return (
        *(_sampled_nats(practice, first, sampler, settings) if first else ()),
        *(_diversity(practice, first, sampler, settings) if first else ()),
        *_trained(practice, sampler, settings),
    )


def sound(
    groups: Mapping[str, GroupRates],
    to_best: Difference,
    best: int,
    earlier: Sequence[RoundRecord],
    settings: RoundsSettings,
) -> tuple[Alarm, ...]:
    """The alarms of a round's own policy. to_best: its accuracy minus that of round `best`."""
    return (
        *_accuracy(to_best, called(earlier, best), len(earlier), settings),
        *_tool_use(groups, earlier, settings),
        *_runaway(groups, earlier, settings),
    )


def _accuracy(found: Difference, best: str, number: int, settings: RoundsSettings) -> Iterator[Alarm]:
    interval = f"{100 * settings.confidence:g} % interval {points_between(found)}"
    fell = f"Accuracy fell by {points(-found.mean)} against {best} ({interval})"
    if found.mean < -settings.margin - _ROUNDING:
        allowed = f"{fell}; {points(settings.margin)} is the most allowed."
        yield _alarm("accuracy_fall", number, found.mean, -settings.margin, allowed, severe=True)
    elif found.high < 0:
        surely = f"{fell}, surely: the upper bound is below zero."
        yield _alarm("accuracy_fall", number, found.high, 0.0, surely, severe=True)


def _tool_use(
    groups: Mapping[str, GroupRates], earlier: Sequence[RoundRecord], settings: RoundsSettings
) -> Iterator[Alarm]:
    now = groups[NEEDS_TOOL].called_share if NEEDS_TOOL in groups else None
    needed = settings.min_called_share
    if now is None or now >= needed - _ROUNDING:
        return
    most = max(record.groups[NEEDS_TOOL].called_share or 0.0 for record in earlier)
    yield _alarm(
        "tool_use_collapse",
        len(earlier),
        now,
        needed,
        f"A tool is called on {percent(now)} of the questions that need one, and on {percent(most)} at most "
        f"before; fewer than {percent(needed)} is next to none.",
        severe=most >= needed,
    )


def _runaway(
    groups: Mapping[str, GroupRates], earlier: Sequence[RoundRecord], settings: RoundsSettings
) -> Iterator[Alarm]:
    if NO_TOOL in groups:
        rate, most = groups[NO_TOOL].invoke_rate or 0.0, settings.max_no_tool_invoke_rate
        said = f"The invoke rate on questions that need no tool is {percent(rate)}; {percent(most)} is the most allowed."
    else:
        rate, most = groups[OVERALL].called_share or 0.0, settings.max_called_share
        before = earlier[0].groups[OVERALL].called_share or 0.0
        if before > most:  # the base model did so already
            return
        said = (
            f"A tool is called on {percent(rate)} of all questions, by the base model on {percent(before)}; none "
            "is known to need no tool, so that overuse would not show."
        )
    if rate > most + _ROUNDING:
        yield _alarm("tool_use_runaway", len(earlier), rate, most, said)


def _sampled_nats(
    now: Practice, first: Practice, sampler: Sampler, settings: RoundsSettings
) -> Iterator[Alarm]:
    if now.sampled_nats is None or not first.sampled_nats:
        return
    needed = settings.min_kept_nats * first.sampled_nats
    if now.sampled_nats < needed - _ROUNDING:
        said = (
            f"The mean of -log p over the tokens that {sampler.name} sampled is {now.sampled_nats:.3f} nats, at "
            f"first it was {first.sampled_nats:.3f}; at least {needed:.3f} should be left."
        )
        yield _alarm("sampled_nats_collapse", sampler.number, now.sampled_nats, needed, said)


def _diversity(now: Practice, first: Practice, sampler: Sampler, settings: RoundsSettings) -> Iterator[Alarm]:
    texts = ("distinct texts", now.distinct_texts, first.distinct_texts)
    pairs = ("distinct pairs of words", now.distinct_bigrams, first.distinct_bigrams)
    for name, value, reference in (texts, pairs):
        if value is None or not reference:
            continue
        needed = settings.min_kept_diversity * reference
        if value >= needed - _ROUNDING:
            continue
        severe = name == texts[0] and value < settings.severe_kept_diversity * reference - _ROUNDING
        said = (
            f"The share of {name} in what {sampler.name} sampled is {percent(value)}, at first it was "
            f"{percent(reference)}; at least {percent(needed)} should be left."
        )
        yield _alarm("diversity_collapse", sampler.number, value, needed, said, severe=severe)
        return


def _trained(now: Practice, sampler: Sampler, settings: RoundsSettings) -> Iterator[Alarm]:
    found, needed = now.trained_traces, settings.min_trained_traces
    if found < needed:
        said = (
            f"Of the {now.traces} traces that {sampler.name} sampled, {found} are trained on; fewer than {needed} "
            "teach little."
        )
        yield _alarm("few_trained_traces", sampler.number, float(found), float(needed), said)


def _alarm(
    name: str, number: int, value: float, threshold: float, sentence: str, *, severe: bool = False
) -> Alarm:
    return Alarm.model_validate(
        {
            "name": name,
            "round": number,
            "severe": severe,
            "value": value,
            "threshold": threshold,
            "sentence": sentence,
        }
    )
