"""Training questions that are judged by too, as a whole or in a long run of words."""

import re
import unicodedata
from collections.abc import Iterable

from components.contracts.records import Question
from components.ingest.split import subject_key

# Signs of arithmetic are words: "2 + 2" and "2 - 2" are different questions.
_WORD = re.compile(r"\w+|[+*/=<>^%-]")


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, without case, width and punctuation."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def asked_text(question: Question) -> str:
    """All that the question asks: the user's messages of its history and its text.

    A short text such as "Yes, please." is the same as another only when what went before is too.
    """
    before = (one.content for one in question.history if one.role == "user")
    return "\n".join((*before, question.text))


class HeldOutIndex:
    """What the held-out questions hold: subjects, whole texts and runs of `length` words.

    `length` 0 leaves the runs out; `side` is what reasons call them. Memory grows with the words of the
    held-out questions.
    """

    def __init__(self, held_out: Iterable[Question], length: int, side: str = "held-out") -> None:
        self._length = length
        self._side = side
        self._subjects: dict[str, str] = {}
        self._texts: dict[tuple[str, ...], str] = {}
        self._runs: dict[tuple[str, ...], str] = {}
        for question in held_out:
            words = words_of(asked_text(question))
            self._subjects.setdefault(subject_key(question), question.id)
            self._texts.setdefault(words, question.id)
            for run in _runs(words, length):
                self._runs.setdefault(run, question.id)

    def reason_to_drop(self, question: Question) -> str:
        """Why the question must not be trained on; empty when nothing speaks against it."""
        words = words_of(asked_text(question))
        if words in self._texts:
            return f"same text as a {self._side} question ({self._texts[words]})"
        if subject_key(question) in self._subjects:
            return f"same subject as a {self._side} question ({self._subjects[subject_key(question)]})"
        for run in _runs(words, self._length):
            if run in self._runs:
                return (
                    f"{self._length} words in a row shared with a {self._side} question ({self._runs[run]})"
                )
        return ""


def _runs(words: tuple[str, ...], length: int) -> Iterable[tuple[str, ...]]:
    if not length:
        return ()
    return (words[start : start + length] for start in range(len(words) - length + 1))
