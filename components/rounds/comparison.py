"""The rates of a round, and how they differ from those of earlier rounds, by paired bootstrap."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from components.contracts.errors import InputError
from components.rounds.records import Difference, GroupRates, RoundItem
from components.rounds.settings import RoundsSettings
from components.scoring.bootstrap import ratio_bootstrap
from components.scoring.groups import group_items
from components.scoring.tool_use import METRICS, rate_table, rates_of_counts

Differences = dict[str, dict[str, dict[str, Difference | None]]]


def rates_by_group(items: Sequence[RoundItem], settings: RoundsSettings) -> dict[str, GroupRates]:
    """The rates of every group of questions, as promotion groups them."""
    found = {}
    for name, places in group_items(items, settings.no_tool_kinds).items():
        rates = asdict(rates_of_counts([items[place].read() for place in places]))
        del rates["errors"]
        found[name] = GroupRates(**rates)
    return found


def in_order_of(items: Sequence[RoundItem], first: Sequence[RoundItem], name: str) -> list[RoundItem]:
    """The items in the order of the questions of `first`.

    Raises:
        InputError: a question comes twice, or the two are not of the same questions.
    """
    by_id = {item.id: item for item in items}
    if len(by_id) < len(items) or by_id.keys() != {item.id for item in first}:
        both = by_id.keys() & {item.id for item in first}
        raise InputError(
            f"{name}: {len(items)} items, of which {len(both)} are of the {len(first)} questions that the base "
            "model was asked; expected each of those once"
        )
    return [by_id[item.id] for item in first]


def compare(
    items: Sequence[RoundItem], earlier: Mapping[str, Sequence[RoundItem]], settings: RoundsSettings
) -> Differences:
    """This round minus each of `earlier`: by its name, by group, by metric; None where undefined.

    All in the same order of questions; all comparisons of a group see the same resamples.
    """
    found: Differences = {name: {} for name in earlier}
    for group, chosen in group_items(items, settings.no_tool_kinds).items():
        before = [rate_table([side[index].read() for index in chosen]) for side in earlier.values()]
        after = rate_table([items[index].read() for index in chosen])
        intervals = ratio_bootstrap(
            *(np.concatenate([side[part] for side in before], axis=1) for part in (0, 1)),
            *(np.tile(part, len(before)) for part in after),
            samples=settings.samples,
            seed=settings.seed,
            confidence=settings.confidence,
        )
        for place, name in enumerate(earlier):
            own = intervals[place * len(METRICS) : (place + 1) * len(METRICS)]
            found[name][group] = {
                metric: Difference(**asdict(interval)) if interval else None
                for metric, interval in zip(METRICS, own, strict=True)
            }
    return found
