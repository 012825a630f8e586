"""A round judged: its record, with what is best so far and whether to go on.

The best is the round of the highest accuracy of those that did not hurt, the earlier of equal ones; the base model
takes part as round 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.contracts.errors import InputError
from components.contracts.methods import is_on
from components.rounds.alarms import sound, sound_practice
from components.rounds.comparison import compare, rates_by_group
from components.rounds.records import Alarm, GroupRates, Practice, RoundItem, RoundRecord
from components.rounds.settings import RoundsSettings
from components.rounds.words import begin, called, none_is_better, percent
from components.scoring.groups import OVERALL


@dataclass(frozen=True)
class Round:
    """What a round brought: digests, its judged items and what its first policy sampled (None for nothing).

    noun: what people call a round, such as "iteration"; its title says which one.
    """

    title: str
    adapter: str
    evaluation: str
    labeled: str
    method: str
    items: Sequence[RoundItem]
    practice: Practice | None
    noun: str = "round"


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

    A round hurts when a severe alarm is about its policy, and can then not be the best. A severe one about what
    was sampled in it ends the rounds and changes nothing else.
    """
    last = earlier[-1]
    judged_before = items[last.number] if last.number in items else items[last.sampler]
    compared = {"base": items[0], "previous": judged_before, "best": items[last.best]}
    differences = compare(found.items, compared, settings)
    to_best = differences["best"][OVERALL]["accuracy"]
    assert to_best is not None, "every question is judged"
    groups = rates_by_group(found.items, settings)
    of_policy = sound(groups, to_best, last.best, earlier, settings)
    of_practice = sound_practice(found.practice, earlier, settings)
    hurt = _severe(of_policy)
    record = _record(
        found,
        earlier,
        groups,
        differences=differences,
        alarms=(*of_policy, *of_practice),
        hurt=bool(hurt),
        ended=" and ".join([f"{found.title} hurt"] * bool(hurt) + _collapsed(of_practice, earlier)),
    )
    records = [*earlier, record]
    best, adapter = last.best, last.best_adapter_round
    if not hurt and record.accuracy > earlier[best].accuracy:
        best = record.number
    if not adapter or (not hurt and record.accuracy > earlier[adapter].accuracy):
        adapter = record.number  # somebody's has to be handed on while the base model is the best
    chosen = {"best": best, "best_adapter_round": adapter, "best_adapter": records[adapter].adapter}
    records[-1] = record = record.model_copy(update=chosen)
    return record.model_copy(update={"verdict": _verdict(records, found.noun)})


def hand_on_record(found: Round, earlier: Sequence[RoundRecord], settings: RoundsSettings) -> RoundRecord:
    """The record of a round in which nothing was trained: its rates alone, nothing is compared anew.

    Either the method is none, or the round had nothing to train on, after which there are no others.

    Raises:
        InputError: its adapter is not the one that the round before handed on.
    """
    last = earlier[-1]
    began = earlier[last.next_begins_with]
    if began.adapter not in ("", found.adapter):
        raise InputError(
            f"adapter: it is {found.adapter[:12]}, but nothing was trained in this round; expected "
            f"{began.adapter[:12]}, which the round before handed on"
        )
    off = [] if is_on("rounds", found.method) else ["the method is none"]
    idle = [f"there was nothing to train on in {found.title}"]
    alarms = sound_practice(found.practice, earlier, settings)
    why = last.ended or " and ".join((off or idle) + _collapsed(alarms, earlier))
    record = _record(found, earlier, rates_by_group(found.items, settings), alarms=alarms, ended=why)
    adapter = last.best_adapter_round or record.number
    chosen = {
        "handed_on": True,
        "verdict": f"Handed on: {why}, so that nothing was trained and nothing is compared anew.",
        "best": last.best,
        "best_adapter_round": adapter,
        "best_adapter": [*earlier, record][adapter].adapter,
    }
    return record.model_copy(update=chosen)


def _record(
    found: Round, earlier: Sequence[RoundRecord], groups: dict[str, GroupRates], **more: Any
) -> RoundRecord:
    """What the records of all rounds have in common, and `more`."""
    last = earlier[-1]
    return RoundRecord(
        number=last.number + 1,
        title=found.title,
        adapter=found.adapter,
        evaluation=found.evaluation,
        labeled=found.labeled,
        method=found.method,
        groups=groups,
        sampler=last.next_begins_with,
        practice=found.practice,
        compared_with=last.best,
        **more,
    )


def _collapsed(of_practice: Sequence[Alarm], earlier: Sequence[RoundRecord]) -> list[str]:
    """Why practice ends the rounds, as a part of a sentence; nothing where it does not."""
    severe = _severe(of_practice)
    return [f"what {called(earlier, severe[0].round)} sampled had collapsed"] if severe else []


def _verdict(records: Sequence[RoundRecord], noun: str) -> str:
    record, rate = records[-1], percent(records[-1].accuracy)
    severe = _severe(record.alarms)
    own = [alarm for alarm in severe if alarm.round == record.number]
    sampled = [alarm for alarm in severe if alarm.round != record.number]
    if record.hurt:
        said = [f"{begin(record.title)} hurt: {_names(own)}."]
    elif record.best == record.number:
        before = called(records, record.compared_with)
        said = [f"The best so far, with an accuracy of {rate}; before it {before} was."]
    else:
        said = [
            f"It did not hurt, with an accuracy of {rate}; {called(records, record.best)} is still the best."
        ]
    if sampled:
        who = called(records, record.sampler)
        said.append(f"What {who} sampled had collapsed: {_names(sampled)}.")
    if record.ended:
        said.append(f"Later {noun}s hand the adapter of {called(records, record.best_adapter_round)} on.")
        if not record.best:
            said.append(f"{none_is_better(records, noun)}, which promotion will find too.")
    return " ".join(said)


def _severe(alarms: Iterable[Alarm]) -> list[Alarm]:
    return [alarm for alarm in alarms if alarm.severe]


def _names(alarms: Iterable[Alarm]) -> str:
    return ", ".join(alarm.name.replace("_", " ") for alarm in alarms)
