"""The split: by subject, by hash, so that it depends on nothing but the seed and the subject."""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from components.contracts.records import Question

Item = TypeVar("Item")


def subject_key(question: Question) -> str:
    """What must not be divided: the subject, or the question's text when it names none."""
    return normal_text(question.subject or question.text)


def normal_text(text: str) -> str:
    """The text without differences of case, width and spacing."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def unit_hash(seed: int, text: str) -> float:
    """A number in [0, 1) that looks random and is the same on every machine."""
    digest = hashlib.sha256(f"{seed}\n{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def is_held_out(question: Question, *, seed: int, share: float) -> bool:
    """Whether the question's subject falls into the held-out share."""
    return unit_hash(seed, subject_key(question)) < share


def is_validation(question: Question, *, seed: int, share: float) -> bool:
    """Whether the question's subject falls into the validation share.

    Salted, so that it says nothing about the held-out share and leaves that as it is.
    """
    return unit_hash(seed, f"validation\n{subject_key(question)}") < share


def is_for_search(question: Question, *, seed: int, share: float) -> bool:
    """Whether the question's subject falls into the share that is left out for search; salted likewise."""
    return unit_hash(seed, f"search\n{subject_key(question)}") < share


def shuffled(items: Iterable[Item], *, seed: int, text_of: Callable[[Item], tuple[str, str]]) -> list[Item]:
    """The items in an order that depends on their texts only, not on the order they came in.

    text_of: the question's text, and what tells items of the same text apart.
    """

    def place(item: Item) -> tuple[float, str, str]:
        text, detail = text_of(item)
        return unit_hash(seed, text), text, detail

    return sorted(items, key=place)


def at_most(items: Sequence[Item], limit: int | None, *, kind_of: Callable[[Item], str]) -> list[Item]:
    """The first `limit` items of each kind, in the order given; None keeps all."""
    taken: dict[str, int] = defaultdict(int)
    kept = []
    for item in items:
        taken[kind_of(item)] += 1
        if limit is None or taken[kind_of(item)] <= limit:
            kept.append(item)
    return kept
