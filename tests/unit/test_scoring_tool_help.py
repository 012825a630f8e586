"""When do tools help: the cells are a partition, and equal a count by hand; intervals equal the plain bootstrap's."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.records import EvaluationItem
from components.scoring.bootstrap import paired_bootstrap
from components.scoring.tool_help import (
    CELLS,
    COUNTS,
    SUMS,
    cell_of,
    known_without_tools,
    tool_help,
    tool_help_by_group,
    tool_help_differences,
)


def item(number: int, *, calls: int, correct: bool, kind: str = "popqa") -> EvaluationItem:
    return EvaluationItem(
        id=f"q{number}",
        suite="held_out",
        kind=kind,
        question="?",
        gold=("1",),
        answer="1",
        correct=correct,
        exact_match=correct,
        calls=calls,
        first_turn_calls=min(calls, 1),
        passed_calls=0,
        answerable_calls=0,
        tools_called=(),
        errors=(),
        seconds=0.0,
        tokens=1,
        trace_id=f"q{number}#0",
    )


# (known, calls, right) of ten questions, and the cells counted by hand
TEN = [
    *[(True, 1, True)] * 2,
    (True, 3, False),
    (True, 0, True),
    (True, 0, False),
    *[(False, 1, True)] * 2,
    (False, 2, False),
    (False, 0, True),
    (False, 0, False),
]
COUNTED = {
    "overuse": 3,
    "redundant": 2,
    "harmed": 1,
    "kept": 1,
    "forgotten": 1,
    "rescued": 2,
    "not_helped": 1,
    "underuse": 2,
    "learned": 1,
    "missed": 1,
}
ANSWERS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3), st.booleans(), st.sampled_from("abc")), max_size=40
)


def made(rows: Sequence[tuple[bool, int, bool]]) -> tuple[dict[str, bool], list[EvaluationItem]]:
    """What was known, and the items."""
    items = [item(n, calls=calls, correct=right) for n, (_, calls, right) in enumerate(rows)]
    return {f"q{n}": known for n, (known, _, _) in enumerate(rows)}, items


def test_ten_questions_counted_by_hand() -> None:
    known, items = made(TEN)
    found = tool_help(known, items)
    assert found.counts == COUNTED
    assert tuple(found.counts) == COUNTS
    assert (found.questions, found.known) == (10, 5)
    assert found.share("harmed") == 0.1


@settings(max_examples=200, deadline=None)
@given(ANSWERS)
def test_the_cells_are_a_partition(rows: list[tuple[bool, int, bool, str]]) -> None:
    items = [item(n, calls=calls, correct=right, kind=kind) for n, (_, calls, right, kind) in enumerate(rows)]
    known = {f"q{n}": row[0] for n, row in enumerate(rows)}
    for group in tool_help_by_group(known, items, ("c",)).values():
        assert sum(group.counts[cell] for cell in CELLS) == group.questions
        assert group.counts["overuse"] + group.counts["kept"] + group.counts["forgotten"] == group.known
        assert (
            group.counts["underuse"] + group.counts["rescued"] + group.counts["not_helped"]
            == group.questions - group.known
        )
        for total, parts in SUMS.items():
            assert group.counts[total] == sum(group.counts[part] for part in parts)
    whole = tool_help(known, items)
    assert sum(whole.counts[cell] for cell in ("redundant", "kept", "rescued", "learned")) == sum(
        one.correct for one in items
    )
    called = sum(whole.counts[cell] for cell in ("overuse", "rescued", "not_helped"))
    assert called == sum(one.calls > 0 for one in items)
    by_kind = tool_help_by_group(known, items, ())
    for name in COUNTS:
        kinds = [group.counts[name] for kind, group in by_kind.items() if kind in "abc"]
        assert sum(kinds) == whole.counts[name]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=20)
)
def test_differences_are_the_plain_bootstrap_of_each_share(rows: list[tuple[bool, bool, bool, bool]]) -> None:
    known = {f"q{n}": n % 2 == 0 for n in range(len(rows))}
    before = [item(n, calls=int(row[0]), correct=row[1]) for n, row in enumerate(rows)]
    after = [item(n, calls=int(row[2]), correct=row[3]) for n, row in enumerate(rows)]
    found = tool_help_differences(known, before, after, samples=200, seed=3)
    assert tuple(found) == COUNTS
    for name, interval in found.items():
        parts = SUMS.get(name, (name,))
        sides = [np.array([cell_of(known, one) in parts for one in side]) for side in (before, after)]
        plain = paired_bootstrap(*sides, samples=200, seed=3)
        assert (interval.mean, interval.low, interval.high) == pytest.approx(
            (plain.mean, plain.low, plain.high)
        )
        shares = [tool_help(known, side).share(name) for side in (before, after)]
        assert shares[0] is not None
        assert shares[1] is not None
        assert interval.mean == pytest.approx(shares[1] - shares[0])


def test_an_empty_group_has_no_share() -> None:
    empty = tool_help({}, [])
    assert (empty.questions, empty.share("kept")) == (0, None)
    with pytest.raises(ValueError, match="at least one question"):
        tool_help_differences({}, [], [])


def test_what_does_not_belong_together_is_refused() -> None:
    known, items = made(TEN)
    with pytest.raises(InputError, match="'q0' was not asked without tools"):
        tool_help({"q1": True}, items)
    with pytest.raises(ValueError, match="same questions in the same order"):
        tool_help_differences(known, items, items[::-1])
    with pytest.raises(InputError, match="'q3' was answered with a call"):
        known_without_tools([item(3, calls=1, correct=True)])
    with pytest.raises(InputError, match="'q3' occurs twice"):
        known_without_tools([item(3, calls=0, correct=True)] * 2)
    assert known_without_tools([item(3, calls=0, correct=True)]) == {"q3": True}
