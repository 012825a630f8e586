"""Signs that self-training collapses, each with its numbers in one sentence.

A severe alarm means that the round hurt. Entropy and diversity are those of the traces, so of the policy that
the round began with, and are held against the first round's; tool use and accuracy are the new policy's.
"""

from collections.abc import Iterator, Mapping, Sequence

from components.rounds.records import Alarm, Difference, GroupRates, Practice, RoundRecord
from components.rounds.settings import RoundsSettings
from components.rounds.words import called, percent, points, points_between
from components.scoring.groups import NEEDS_TOOL, NO_TOOL, OVERALL

_ROUNDING = 1e-9  # shares are sums of counts: exactly a threshold must not be past it by a rounding error


def sound(
    groups: Mapping[str, GroupRates],
    practice: Practice | None,
    to_best: Difference,
    earlier: Sequence[RoundRecord],
    settings: RoundsSettings,
) -> tuple[Alarm, ...]:
    """All alarms of a round. groups, practice: its own. to_best: of accuracy. earlier: from the base model on."""
    first = next((record.practice for record in earlier if record.practice is not None), None)
    return (
        *_accuracy(to_best, earlier[-1].best, settings),
        *_tool_use(groups, earlier, settings),
        *_runaway(groups, earlier, settings),
        *(_entropy(practice, first, settings) if practice and first else ()),
        *(_diversity(practice, first, settings) if practice and first else ()),
        *(_trained(practice, settings) if practice else ()),
    )


def _accuracy(found: Difference, best: int, settings: RoundsSettings) -> Iterator[Alarm]:
    interval = f"{100 * settings.confidence:g} % interval {points_between(found)}"
    fell = f"Accuracy fell by {points(-found.mean)} against {called(best)} ({interval})"
    if found.mean < -settings.margin - _ROUNDING:
        allowed = f"{fell}; {points(settings.margin)} is the most allowed."
        yield _alarm("accuracy_fall", found.mean, -settings.margin, allowed, severe=True)
    elif found.high < 0:
        yield _alarm(
            "accuracy_fall", found.high, 0.0, f"{fell}, surely: the upper bound is below zero.", severe=True
        )


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
        yield _alarm("tool_use_runaway", rate, most, said)


def _entropy(now: Practice, first: Practice, settings: RoundsSettings) -> Iterator[Alarm]:
    if now.entropy is None or not first.entropy:
        return
    needed = settings.min_kept_entropy * first.entropy
    if now.entropy < needed - _ROUNDING:
        said = (
            f"Sampled tokens carry {now.entropy:.3f} nats each, in the first round it was {first.entropy:.3f}; at "
            f"least {needed:.3f} should be left."
        )
        yield _alarm("entropy_collapse", now.entropy, needed, said)


def _diversity(now: Practice, first: Practice, settings: RoundsSettings) -> Iterator[Alarm]:
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
            f"The traces' share of {name} is {percent(value)}, in the first round it was {percent(reference)}; at "
            f"least {percent(needed)} should be left."
        )
        yield _alarm("diversity_collapse", value, needed, said, severe=severe)
        return


def _trained(now: Practice, settings: RoundsSettings) -> Iterator[Alarm]:
    if now.trained_traces < settings.min_trained_traces:
        said = (
            f"The round trained on {now.trained_traces} of {now.traces} traces; fewer than "
            f"{settings.min_trained_traces} teach little."
        )
        yield _alarm(
            "few_trained_traces", float(now.trained_traces), float(settings.min_trained_traces), said
        )


def _alarm(name: str, value: float, threshold: float, sentence: str, *, severe: bool = False) -> Alarm:
    return Alarm.model_validate(
        {"name": name, "severe": severe, "value": value, "threshold": threshold, "sentence": sentence}
    )
