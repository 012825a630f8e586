"""Which rounds are left, which of them is the best, and which adapter a round begins with.

A round sees its predecessor's policy sample, and may bar it by that. So besides the best there is always a spare:
the best of those with another adapter than the newest. These two and the newest are all that can ever be the best
of the next round: only the newest adapter is sampled from, and once a round is barred nothing is trained any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from components.rounds.records import Alarm, RoundRecord
from components.scoring.groups import OVERALL


@dataclass(frozen=True)
class Choice:
    """Rounds by number. best: 0 for the base model. adapter: whose adapter is handed on. spare: 0 for none."""

    best: int
    adapter: int
    spare: int


def accuracy(record: RoundRecord) -> float:
    """The share of right answers over all questions."""
    value = record.groups[OVERALL].accuracy
    assert value is not None, "every question is judged"
    return value


def sampler_of(earlier: Sequence[RoundRecord]) -> tuple[int, str]:
    """The round whose adapter the round after `earlier` begins with, and the adapter's digest."""
    last = earlier[-1]
    if last.ended or last.handed_on:
        return last.best_adapter_round, last.best_adapter
    return last.number, last.adapter


def barred_by(alarms: Iterable[Alarm], records: Sequence[RoundRecord]) -> tuple[int, ...]:
    """The rounds that can't be the best: those barred before and those that a severe alarm is charged to.

    Rounds with the same adapter are barred together; the base model never is. records: from the base model on.
    """
    charged = {alarm.round for alarm in alarms if alarm.severe} - {0}
    adapters = {record.adapter for record in records if record.number in charged}
    found = {record.number for record in records[1:] if record.adapter in adapters}
    return tuple(sorted(found.union(*(record.barred for record in records))))


def choose(records: Sequence[RoundRecord], barred: Sequence[int]) -> Choice:
    """The choice among the rounds of `records`, from the base model on, of which the last is the newest.

    The highest accuracy is best, of equal ones the earlier. Where every adapter is barred the most accurate is
    handed on all the same: somebody has to be.
    """
    numbers = [record.number for record in records[1:]]
    left = [number for number in numbers if number not in barred]

    def most_accurate(chosen: Sequence[int]) -> int:
        return max(chosen, key=lambda number: (accuracy(records[number]), -number), default=0)

    return Choice(
        best=most_accurate([0, *left]),
        adapter=most_accurate(left or numbers),
        spare=most_accurate([number for number in left if records[number].adapter != records[-1].adapter]),
    )
