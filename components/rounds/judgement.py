"""A round judged: its record, with what is best so far and whether to go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.contracts.errors import InputError
from components.rounds.alarms import sound
from components.rounds.comparison import compare, rates_by_group
from components.rounds.records import Practice, RoundItem, RoundRecord
from components.rounds.settings import RoundsSettings
from components.rounds.words import called, percent
from components.scoring.groups import OVERALL


@dataclass(frozen=True)
class Round:
    """What a round brought: digests, its judged items and what it practised on (None when on nothing)."""

    title: str
    adapter: str
    evaluation: str
    labeled: str
    method: str
    items: Sequence[RoundItem]
    practice: Practice | None


def base_record(
    title: str, evaluation: str, items: Sequence[RoundItem], settings: RoundsSettings
) -> RoundRecord:
    """Round 0: the base model."""
    return RoundRecord(
        number=0,
        title=title or "base model",
        evaluation=evaluation,
        groups=rates_by_group(items, settings),
        verdict="The base model, before any round.",
    )


def judge(
    found: Round,
    earlier: Sequence[RoundRecord],
    items: Mapping[int, Sequence[RoundItem]],
    settings: RoundsSettings,
) -> RoundRecord:
    """The record of the round after `earlier` (from the base model on). items: of earlier rounds, by number.

    A round hurts when a severe alarm sounds, and can then not be the best. The best is the highest accuracy
    over all questions, of equal ones the earlier.
    """
    last = earlier[-1]
    compared = {"base": items[0], "previous": items[last.number], "best": items[last.best]}
    differences = compare(found.items, compared, settings)
    to_best = differences["best"][OVERALL]["accuracy"]
    assert to_best is not None, "every question is judged"
    groups = rates_by_group(found.items, settings)
    alarms = sound(groups, found.practice, to_best, earlier, settings)
    hurt = any(alarm.severe for alarm in alarms)
    record = RoundRecord(
        number=last.number + 1,
        title=found.title or called(last.number + 1),
        adapter=found.adapter,
        evaluation=found.evaluation,
        labeled=found.labeled,
        method=found.method,
        groups=groups,
        practice=found.practice,
        compared_with=last.best,
        differences=differences,
        alarms=alarms,
        hurt=hurt,
    )
    number = record.number
    best = number if not hurt and accuracy(record) > accuracy(earlier[last.best]) else last.best
    # Somebody has to be handed on: the first adapter, even when the base model is better.
    kept = last.best_adapter_round
    better = not kept or (not hurt and accuracy(record) > accuracy(earlier[kept]))
    kept = number if better else kept
    chosen = {
        "best": best,
        "best_adapter_round": kept,
        "best_adapter": found.adapter if kept == number else last.best_adapter,
    }
    record = record.model_copy(update=chosen)
    return record.model_copy(update={"verdict": _verdict(record)})


def hand_on_record(found: Round, earlier: Sequence[RoundRecord], settings: RoundsSettings) -> RoundRecord:
    """The record of a round in which nothing was trained: its rates alone, nothing is compared anew.

    Raises:
        InputError: its adapter is not the one that the round before handed on.
    """
    last = earlier[-1]
    if last.best_adapter not in ("", found.adapter):
        raise InputError(
            f"adapter: it is {found.adapter[:12]}, but nothing was trained in this round; expected "
            f"{last.best_adapter[:12]}, which the round before handed on"
        )
    hurting = next((record.number for record in earlier if record.hurt), 0)
    why = f"{called(hurting)} hurt" if hurting else "the method is none"
    number = last.number + 1
    return RoundRecord(
        number=number,
        title=found.title or called(number),
        adapter=found.adapter,
        evaluation=found.evaluation,
        labeled=found.labeled,
        method=found.method,
        handed_on=True,
        groups=rates_by_group(found.items, settings),
        practice=found.practice,
        compared_with=last.best,
        verdict=f"Handed on: {why}, so that nothing was trained and nothing is compared anew.",
        best=last.best,
        best_adapter=found.adapter,
        best_adapter_round=last.best_adapter_round or number,
    )


def accuracy(record: RoundRecord) -> float:
    """The share of right answers over all questions."""
    value = record.groups[OVERALL].accuracy
    assert value is not None, "every question is judged"
    return value


def _verdict(record: RoundRecord) -> str:
    rate = percent(accuracy(record))
    if record.hurt:
        reasons = ", ".join(alarm.name.replace("_", " ") for alarm in record.alarms if alarm.severe)
        following = f"Later rounds hand the adapter of {called(record.best_adapter_round)} on."
        if not record.best:
            following += " No round is better than the base model, which promotion will find too."
        return f"The round hurt: {reasons}. {following}"
    if record.best == record.number:
        return f"The best so far, with an accuracy of {rate}; before it {called(record.compared_with)} was."
    return f"It did not hurt, with an accuracy of {rate}; {called(record.best)} is still the best."
