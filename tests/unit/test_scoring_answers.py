"""Answers and numbers, against cases worked out by hand."""

import json
import os
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import Question
from components.scoring.answers import (
    accuracy,
    contains_answer,
    exact_match,
    is_correct,
    is_exact,
    normalize_text,
)
from components.scoring.numbers import normalize_number, numbers_in, only_number


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Beatles", "beatles"),
        ("  An  apple_pie!  ", "apple pie"),
        ("U.S.A.", "u s"),  # the article rule eats the last letter, as TriviaQA's does
        ("rock 'n' roll", "rock n roll"),
        ("Ana", "ana"),
        ("Curaçao", "curaçao"),
        ("The The", ""),
        ("...", ""),
    ],
)
def test_the_triviaqa_normaliser(text: str, normal: str) -> None:
    assert normalize_text(text) == normal


def test_exact_match_needs_the_whole_answer() -> None:
    assert exact_match("the  Paris.", ["London", "Paris"])
    assert not exact_match("Paris, France", ["Paris"])
    assert not exact_match(None, ["Paris"])
    assert not exact_match("", ["The"])
    assert not exact_match("", [])


def test_accuracy_matches_whole_tokens_only() -> None:
    assert accuracy("It is in New York City.", ["new york"])
    assert not accuracy("It was in 1805", ["80"])
    assert not accuracy("scarlet", ["car"])
    assert not accuracy("anything at all", ["The", "..."])
    assert not accuracy(None, ["x"])


def test_legacy_accuracy_is_the_papers_substring_rule() -> None:
    assert accuracy("It was in 1805", ["80"], legacy=True)
    assert accuracy("anything at all", ["The"], legacy=True)
    assert not accuracy("anything", ["Paris"], legacy=True)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_accuracy_implies_legacy_and_follows_from_exact_match(left: str, gold: str, right: str) -> None:
    prediction = f"{left} {gold} {right}"
    if accuracy(prediction, [gold]):
        assert accuracy(prediction, [gold], legacy=True)
    if exact_match(prediction, [gold]):
        assert accuracy(prediction, [gold])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,000", 1000),
        ("1000", 1000),
        ("$1000.", 1000),
        ("1000.0", 1000),
        ("1,234,567.50", Fraction("1234567.5")),
        ("so 3 + 4 = 7.", 7),
        ("-5", -5),
        ("-$5", -5),
        ("$-5", -5),
        ("\u22125", -5),
        ("10-5", 5),
        ("pages 3-5", 5),
        ("GPT-4", 4),
        ("50%", 50),
        ("50 %", 50),
        (".5", Fraction(1, 2)),
        ("0.5", Fraction(1, 2)),
        ("3/4", Fraction(3, 4)),
        ("1 1/2 cups", Fraction(3, 2)),
        ("-1 1/2", Fraction(-3, 2)),
        ("in 2020 10/5", 2),
        ("12/25/2020", 2020),
        ("5/0", 0),
        ("1,2,3", 3),
        ("1,2345", 2345),
        ("1e3", 1000),
        ("2.5E-1", Fraction(1, 4)),
        ("**18**", 18),
        ("\\boxed{18}", 18),
        ("none", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_the_last_number(text: str, number: Fraction | None) -> None:
    assert normalize_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,000.", 1000),
        ("**18**", 18),
        ("(-5)", -5),
        ("-$5", -5),
        ("50 %", 50),
        (".5", Fraction(1, 2)),
        ("1 1/2", Fraction(3, 2)),
        ("18 apples", None),
        ("3 + 4", None),
        ("a", None),
    ],
)
def test_only_number(text: str, number: Fraction | None) -> None:
    assert only_number(text) == number


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_every_way_to_write_an_integer_is_the_same_number(value: int) -> None:
    sign = "-" if value < 0 else ""
    for text in (
        f"{value}",
        f"{value:,}",
        f"{value}.0",
        f"{sign}${abs(value):,}.",
        f"The answer is {value}.",
    ):
        assert normalize_number(text) == value
    assert only_number(f"{value:,}.00") == value


@given(st.text(alphabet="0123456789.,-/$% eE()\u2212", max_size=60))
def test_numbers_never_raise(text: str) -> None:
    found = list(numbers_in(text))
    assert normalize_number(text) == (found[-1] if found else None)
    only_number(text)


@pytest.mark.parametrize("piece", ["1", "1,", "1 ", "1/", "-", "$", ".", "1,111", "1e", " ", "1.", "(1"])
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    begun = time.perf_counter()
    normalize_number(piece * 20_000)
    only_number(piece * 20_000)
    assert time.perf_counter() - begun < 2


def test_number_questions_compare_numbers_and_text_questions_tokens() -> None:
    number = Question(id="1", text="?", answers=("1,000",), answer_type="number")
    assert is_correct("20 * 50 = 1000.0", number)
    assert not is_exact("20 * 50 = 1000.0", number)
    assert is_exact("$1000.", number)
    assert not is_correct("1000 of 2000", number)
    assert not is_correct(None, number)
    assert contains_answer("1000 of 2000", number)
    assert not contains_answer("11000", number)
    text = Question(id="2", text="?", answers=("Paris", ""))
    assert is_correct("It is Paris.", text)
    assert not is_exact("It is Paris.", text)
    assert not is_correct("It is Rome.", text)
    assert contains_answer("Paris is a city.", text)


def test_a_gold_without_a_number_never_matches_a_number_question() -> None:
    assert not is_correct("7", Question(id="1", text="?", answers=("seven",), answer_type="number"))


DATA = Path(os.environ.get("WHETSTONE_TEST_DATA", "/nowhere")) / "gsm8k" / "train.jsonl"


@pytest.mark.skipif(not DATA.exists(), reason="WHETSTONE_TEST_DATA has no gsm8k/train.jsonl")
def test_every_gold_of_gsm8k_is_one_number() -> None:
    """The gold is a number by itself, and the last number of the worked solution it ends."""
    for line in DATA.read_text(encoding="utf-8").splitlines():
        solution = json.loads(line)["answer"]
        gold = solution.rsplit("####", 1)[1].strip()
        question = Question(id="1", text="?", answers=(gold,), answer_type="number")
        assert only_number(gold) == float(gold.replace(",", "")), gold
        assert is_correct(solution, question)
        assert is_exact(f"${gold}.", question)
