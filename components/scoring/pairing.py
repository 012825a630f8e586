"""Pairs the items of two evaluations by question id."""

from collections import Counter
from collections.abc import Sequence

from components.contracts.errors import InputError
from components.contracts.records import EvaluationItem


def pair_by_id(
    before: Sequence[EvaluationItem], after: Sequence[EvaluationItem]
) -> list[tuple[EvaluationItem, EvaluationItem]]:
    """(before, after) of each question, in the order of `before`.

    Raises:
        InputError: an id occurs twice, or the two runs did not judge the same questions (the first
            id that differs is named).
    """
    for name, items in (("before", before), ("after", after)):
        [(most_common, times)] = Counter(item.id for item in items).most_common(1) or [("", 0)]
        if times > 1:
            raise InputError(f"{name}: question {most_common!r} occurs {times} times, expected once")
    second = {item.id: item for item in after}
    missing = [item.id for item in before if item.id not in second]
    extra = second.keys() - {item.id for item in before}
    if missing or extra:
        named = missing[0] if missing else min(extra)
        raise InputError(
            f"before and after judged different questions ({len(missing)} only before, {len(extra)} only "
            f"after, such as {named!r}); expected two evaluations of the same questions"
        )
    return [(item, second[item.id]) for item in before]
