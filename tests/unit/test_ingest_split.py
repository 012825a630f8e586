"""The split never divides a subject and does not depend on order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.records import Question
from components.ingest.split import at_most, is_held_out, shuffled, subject_key, unit_hash

QUESTIONS = st.lists(
    st.builds(
        Question,
        id=st.uuids().map(str),
        text=st.text(min_size=1, max_size=20),
        answers=st.just(("a",)),
        subject=st.sampled_from(["", "Paris", "paris ", "Rome", "Oslo", "\uff32ome"]),
        kind=st.sampled_from(["a", "b"]),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(QUESTIONS, st.integers(0, 2**32), st.floats(0, 1), st.randoms(use_true_random=False))
def test_no_subject_on_both_sides_and_order_does_not_matter(
    questions: list[Question], seed: int, share: float, chance: random.Random
) -> None:
    def held_out(rows: list[Question]) -> set[str]:
        return {one.id for one in rows if is_held_out(one, seed=seed, share=share)}

    out = held_out(questions)
    sides: dict[str, set[bool]] = {}
    for one in questions:
        sides.setdefault(subject_key(one), set()).add(one.id in out)
    assert all(len(side) == 1 for side in sides.values())
    permuted = chance.sample(questions, len(questions))
    assert held_out(permuted) == out
    texts = [one.text for one in shuffled(questions, seed=seed, text_of=lambda one: (one.text, ""))]
    assert texts == [one.text for one in shuffled(permuted, seed=seed, text_of=lambda one: (one.text, ""))]


def test_the_share_is_met_and_another_seed_splits_otherwise() -> None:
    questions = [Question(id=str(n), text=f"question {n}") for n in range(5000)]
    sides = [[is_held_out(one, seed=seed, share=0.2) for one in questions] for seed in (1, 2)]
    assert all(900 < sum(side) < 1100 for side in sides)
    assert sides[0] != sides[1]


def test_the_hash_is_the_same_everywhere() -> None:
    assert unit_hash(19, "paris") == 0.6620011000754973


def test_limits_count_by_kind() -> None:
    questions = [Question(id=str(n), text=str(n), kind="ab"[n % 2]) for n in range(10)]
    assert [one.id for one in at_most(questions, 2, kind_of=lambda one: one.kind)] == ["0", "1", "2", "3"]
    assert at_most(questions, None, kind_of=lambda one: one.kind) == questions
