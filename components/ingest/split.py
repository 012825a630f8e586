"""The split: by subject, by hash, so that it depends on nothing but the seed and the subject."""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from components.contracts.records import Question


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


def shuffled(questions: Iterable[Question], *, seed: int) -> list[Question]:
    """The questions in an order that depends on their texts only, not on the order they came in."""
    return sorted(questions, key=lambda question: (unit_hash(seed, question.text), question.text))


def at_most(questions: Sequence[Question], limit: int | None) -> list[Question]:
    """The first `limit` questions of each kind, in the order given; None keeps all."""
    taken: dict[str, int] = defaultdict(int)
    kept = []
    for question in questions:
        taken[question.kind] += 1
        if limit is None or taken[question.kind] <= limit:
            kept.append(question)
    return kept
