"""Exact match and accuracy of a final answer against its accepted answers."""

import re
import string
from collections.abc import Iterable

from components.contracts.records import Question
from components.scoring.numbers import normalize_number, numbers_in, only_number

_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`", " "))  # noqa: RUF001
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_text(text: str) -> str:
    """The TriviaQA normaliser (Joshi et al. 2017): lowercase, `_` and punctuation to spaces, no articles.

    Runs of white space become one space; an answer that is nothing but articles becomes empty.
    """
    spaced = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", spaced).split())


def exact_match(prediction: str | None, golds: Iterable[str]) -> bool:
    """Whether the normalised prediction equals a normalised gold; golds that become empty never match."""
    if prediction is None:
        return False
    return normalize_text(prediction) in _normalized(golds)


def accuracy(prediction: str | None, golds: Iterable[str], *, legacy: bool = False) -> bool:
    """Whether the prediction contains a gold as whole tokens, both normalised.

    `legacy` is the self-training paper's rule, kept for comparison: any substring counts, so that
    "1805" contains "80" and a gold that becomes empty is contained in everything.
    """
    if prediction is None:
        return False
    text = normalize_text(prediction)
    if legacy:
        return any(normalize_text(gold) in text for gold in golds)
    return any(f" {gold} " in f" {text} " for gold in _normalized(golds))


def is_correct(prediction: str | None, question: Question) -> bool:
    """The judgement used by the training filter and by the evaluation alike.

    A `number` question compares the last number of the prediction with each gold, exactly; a
    `text` question asks for a gold as whole tokens.
    """
    if prediction is None:
        return False
    if question.answer_type == "number":
        predicted = normalize_number(prediction)
        return predicted is not None and predicted in _gold_numbers(question)
    return accuracy(prediction, question.answers)


def is_exact(prediction: str | None, question: Question) -> bool:
    """Exact match: the prediction says the gold and nothing else.

    A `number` question lets the number be written in any way ("$1,000." for 1000).
    """
    if prediction is None:
        return False
    if question.answer_type == "number":
        predicted = only_number(prediction)
        return predicted is not None and predicted in _gold_numbers(question)
    return exact_match(prediction, question.answers)


def contains_answer(text: str, question: Question) -> bool:
    """Whether a tool's reply holds an accepted answer: any of its numbers, or the whole tokens."""
    if question.answer_type == "number":
        golds = _gold_numbers(question)
        return any(number in golds for number in numbers_in(text))
    return accuracy(text, question.answers)


def _normalized(golds: Iterable[str]) -> set[str]:
    return {normalized for gold in golds if (normalized := normalize_text(gold))}


def _gold_numbers(question: Question) -> set[object]:
    numbers = (normalize_number(gold) for gold in question.answers)
    return {number for number in numbers if number is not None}
