"""The split never divides a subject, does not depend on order, and contamination is found."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.records import Question
from components.ingest.contamination import HeldOutIndex
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


def question(text: str, subject: str = "") -> Question:
    return Question(id=text[:8], text=text, subject=subject)


LONG = "a farmer has twelve cows and buys nine more from his old neighbour who lives far away"


def test_contamination_by_text_subject_and_run_of_words() -> None:
    held_out = HeldOutIndex(
        [question(LONG), question("Who wrote it?", "Some Book"), question("What is 2 + 2?")], 13
    )
    assert "same text" in held_out.reason_to_drop(question("what is 2 + 2"))
    assert held_out.reason_to_drop(question("What is 2 - 2?")) == ""
    assert "same subject" in held_out.reason_to_drop(question("When did it appear?", "some  book"))
    words = LONG.split()
    assert "13 words" in held_out.reason_to_drop(question("Yesterday " + ", ".join(words[2:15]) + "!"))
    assert held_out.reason_to_drop(question("Yesterday " + " ".join(words[2:14]) + " today")) == ""


def test_without_a_run_length_only_equal_questions_count() -> None:
    assert HeldOutIndex([question(LONG)], 0).reason_to_drop(question(LONG + " now")) == ""


def test_planted_questions_are_found_verbatim_with_recall_one() -> None:
    chance = random.Random(0)
    vocabulary = [f"word{n}" for n in range(2000)]
    planted = [question(" ".join(chance.choices(vocabulary, k=20))) for _ in range(100)]
    clean = [question(" ".join(chance.choices(vocabulary, k=20))) for _ in range(100)]
    held_out = HeldOutIndex(planted, 13)
    assert all(held_out.reason_to_drop(question("So: " + one.text.upper() + ".")) for one in planted)
    assert not any(held_out.reason_to_drop(one) for one in clean)
