"""A round judged: its record, with what is best so far and whether to go on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from components.contracts.errors import InputError
from components.rounds.alarms import sound, sound_practice
from components.rounds.choice import Choice, accuracy, barred_by, choose, sampler_of
from components.rounds.comparison import compare, rates_by_group
from components.rounds.records import Alarm, Practice, RoundItem, RoundRecord
from components.rounds.settings import RoundsSettings
from components.rounds.words import called, percent
from components.scoring.groups import OVERALL


@dataclass(frozen=True)
class Round:
    """What a round brought: digests, its judged items and what its first policy sampled (None for nothing)."""

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

    A round hurts when a severe alarm is about its policy, and can then not be the best (see `choose`). What was
    sampled is judged first: it may bar the round before, which then is not what this round is held against.
    """
    last = earlier[-1]
    of_practice = sound_practice(found.practice, sampler_of(earlier)[0], earlier, settings)
    reference = choose(earlier, barred_by(of_practice, earlier)).best
    compared = {"base": items[0], "previous": items[last.number], "best": items[reference]}
    differences = compare(found.items, compared, settings)
    to_best = differences["best"][OVERALL]["accuracy"]
    assert to_best is not None, "every question is judged"
    groups = rates_by_group(found.items, settings)
    of_policy = sound(groups, to_best, reference, earlier, settings)
    alarms = (*of_policy, *of_practice)
    record = RoundRecord(
        number=last.number + 1,
        title=found.title or called(last.number + 1),
        adapter=found.adapter,
        evaluation=found.evaluation,
        labeled=found.labeled,
        method=found.method,
        groups=groups,
        practice=found.practice,
        compared_with=reference,
        differences=differences,
        alarms=alarms,
        hurt=any(alarm.severe for alarm in of_policy),
        ended=any(alarm.severe for alarm in alarms),
    )
    records = [*earlier, record]
    barred = barred_by(alarms, records)
    chosen = choose(records, barred)
    record = record.model_copy(update={"barred": barred, **_chosen(chosen, records)})
    return record.model_copy(update={"verdict": _verdict(record, earlier)})


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
    hurting = sorted({alarm.round for record in earlier for alarm in record.alarms if alarm.severe})
    why = f"{' and '.join(map(called, hurting))} hurt" if hurting else "the method is none"
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
        barred=last.barred,
        best=last.best,
        best_adapter=found.adapter,
        best_adapter_round=last.best_adapter_round or number,
        spare_adapter=last.spare_adapter,
        spare_round=last.spare_round,
    )


def _chosen(chosen: Choice, records: Sequence[RoundRecord]) -> dict[str, int | str]:
    return {
        "best": chosen.best,
        "best_adapter": records[chosen.adapter].adapter,
        "best_adapter_round": chosen.adapter,
        "spare_adapter": records[chosen.spare].adapter,
        "spare_round": chosen.spare,
    }


def _verdict(record: RoundRecord, earlier: Sequence[RoundRecord]) -> str:
    rate = percent(accuracy(record))
    if not record.ended:
        if record.best == record.number:
            return (
                f"The best so far, with an accuracy of {rate}; before it {called(record.compared_with)} was."
            )
        return f"It did not hurt, with an accuracy of {rate}; {called(record.best)} is still the best."
    severe = [alarm for alarm in record.alarms if alarm.severe]
    said = []
    if record.hurt:
        said.append(f"The round hurt: {_names(alarm for alarm in severe if alarm.round == record.number)}.")
    sampled = [alarm for alarm in severe if alarm.round != record.number]
    if sampled:
        also = ", too" if record.hurt else ""
        who = called(sampled[0].round)
        said.append(f"{who.capitalize()} hurt{also}, by what it sampled: {_names(sampled)}.")
    said.append(f"Later rounds hand the adapter of {called(record.best_adapter_round)} on.")
    if not record.best:
        base = accuracy(earlier[0])
        barred = [accuracy(one) for one in (*earlier, record) if one.number in record.barred]
        if any(value > base for value in barred):
            said.append("No round that is left is better than the base model.")
        else:
            said.append("No round is better than the base model, which promotion will find too.")
    return " ".join(said)


def _names(alarms: Iterable[Alarm]) -> str:
    return ", ".join(alarm.name.replace("_", " ") for alarm in alarms)
