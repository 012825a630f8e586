"""Benchmark items inside training text: which row holds which item, where, and in which words.

Of an item its own words count only: what its user asks, and what its gold calls are given as long texts. System
texts, tools' schemas, replies, tools' names and short answers are shared by many rows that have nothing to do with
each other. Of a training row everything counts: prompts, calls, replies, answers, and so do its system text and what
its tools say of themselves. No loss is on these, but as little on users' messages and replies: the policy learns what to
say behind them. Of a tool that is its descriptions, defaults and examples; names and JSON's own words are nobody's.

What is enough depends on how many words an item asks with:

- 13 or more (`run_words`): any 13 in a row, as in GPT-3's report (Brown et al. 2020, appendix C), save those that
  are a template's: shared by more than 25 items, or by a tenth of a smaller suite's and more than 3.
- 8 to 12: all of them in a row, anywhere. Runs shorter than 8 words are common phrases.
- 4 to 7: all of them, as a sentence, line or quotation of its own: "what is the capital of France" inside a longer
  sentence may be anybody's.
- fewer: all that the row's user says up to some message is these words. "Yes, please." says nothing by itself.

One thing is no hit in system texts and tools: the 4 to 7 words that a suite's own system texts say as well ("You are a
helpful assistant", which one item of BFCL asks). A dialogue's messages of the user count in sequence, so that its small talk alone is no item. Values of gold calls
count by runs of 13 only: shorter ones are titles, times and pangrams.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from components.contracts.contamination import ContaminationHit, OnContamination
from components.contracts.errors import InputError
from components.contracts.records import Question
from components.scoring.training_text import KEPT_TEXTS, TrainingText, asked_of, gold_texts
from components.scoring.word_runs import TEMPLATE, Passage, RunIndex
from components.scoring.words import sentence_bounds, words_of

RUN_WORDS = 13
WHOLE_WORDS = 8  # from here on an item is found inside of sentences
SENTENCE_WORDS = 4  # and from here on inside of other texts
TEMPLATE_SHARE = 10  # a template is shared by one in so many items of a suite
LEAST_TEMPLATE = 3  # or by more than so many, where that is more
SHOWN_WORDS = 60
ASKED = "user"


class Benchmarks:
    """The items of all suites, read once; `hits` compares one training row in time linear in its text."""

    def __init__(self, sides: Mapping[str, Iterable[Question]], *, run_words: int = RUN_WORDS) -> None:
        """sides: the questions by what they are called where they name no suite of their own.

        run_words: how many words in a row are enough; 0: only a row that asks the same is a hit.
        """
        self._run_words = run_words
        self._items: list[tuple[str, str]] = []
        self._whole: dict[tuple[str, ...], list[int]] = defaultdict(list)
        owners: dict[tuple[str, ...], list[int]] = defaultdict(list)
        sentences: set[tuple[str, ...]] = set()
        systems: set[str] = set()
        for side, questions in sides.items():
            for question in questions:
                number = len(self._items)
                self._items.append((question.suite or side, question.id))
                systems.update(one.content for one in question.history if one.role == "system")
                asked = tuple(words_of(asked_text(question)))
                self._whole[asked].append(number)
                if SENTENCE_WORDS <= len(asked) < self._least_whole:
                    sentences.add(asked)
                long_enough = (one for one in self._passages_of(question, asked) if one)
                for passage in dict.fromkeys(long_enough):
                    owners[passage].append(number)
        self._passages = list(owners)
        self._owners = list(owners.values())
        self._sentences = sentences
        self._longest = max(map(len, self._whole), default=0)
        sizes = Counter(suite for suite, _ in self._items)
        most = {
            suite: min(TEMPLATE, max(LEAST_TEMPLATE, size // TEMPLATE_SHARE)) for suite, size in sizes.items()
        }
        self._index = RunIndex(
            [
                Passage(one, run_words, max(most[self._items[number][0]] for number in numbers))
                for one, numbers in owners.items()
            ]
        )
        self._shared = lru_cache(KEPT_TEXTS)(self._occurrences)
        self._phrases = {
            found
            for text in systems
            for found, _ in self._occurrences(text)
            if self._passages[found] in sentences
        }

    def __len__(self) -> int:
        return len(self._items)

    @property
    def phrases(self) -> set[tuple[str, str]]:
        """Suite and id of the items that are not looked for in system texts and tools."""
        return {self._items[number] for passage in self._phrases for number in self._owners[passage]}

    @property
    def _least_whole(self) -> int:
        return min(WHOLE_WORDS, self._run_words)

    def _passages_of(self, question: Question, asked: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if not self._run_words:
            return
        if len(asked) >= min(SENTENCE_WORDS, self._run_words):
            yield asked
        for text in (*_later_turns(question), *gold_texts(question)):
            words = tuple(words_of(text))
            if len(words) >= self._run_words:
                yield words

    def hits(self, text: TrainingText) -> list[ContaminationHit]:
        """The items that the row holds, each once, with the longest run of words; by suite and item."""
        best: dict[int, ContaminationHit] = {}
        for where, part in ((ASKED, "\n".join(text.asked)), *text.others):
            for passage, words in self._occurrences(part):
                for item in self._owners[passage]:
                    self._keep(best, item, text.row, where, words)
        for where, part in text.instructions:
            for passage, words in self._shared(part):
                for item in self._owners[passage] if passage not in self._phrases else ():
                    self._keep(best, item, text.row, where, words)
        for words, item in self._asked_whole(text.asked):
            self._keep(best, item, text.row, ASKED, words)
        return sorted(best.values(), key=lambda one: (one.suite, one.item))

    def _occurrences(self, part: str) -> list[tuple[int, list[str]]]:
        """The passages that a text holds, and their words there; short ones only as sentences of their own."""
        words = words_of(part)
        bounds: set[int] | None = None
        kept = []
        for found in self._index.find(words):
            if self._passages[found.passage] in self._sentences:
                bounds = bounds if bounds is not None else sentence_bounds(part)
                if not {found.start, found.end} <= bounds:
                    continue
            kept.append((found.passage, words[found.start : found.end]))
        return kept

    def _asked_whole(self, asked: Sequence[str]) -> Iterator[tuple[list[str], int]]:
        words: list[str] = []
        for message in asked:
            words = [*words, *words_of(message)]
            if len(words) > self._longest:
                return
            for item in self._whole.get(tuple(words), ()):
                yield words, item

    def _keep(
        self, best: dict[int, ContaminationHit], item: int, row: str, where: str, words: Sequence[str]
    ) -> None:
        if item in best and best[item].words >= len(words):
            return
        suite, name = self._items[item]
        matched = " ".join(words[:SHOWN_WORDS])
        best[item] = ContaminationHit(
            row=row, suite=suite, item=name, where=where, matched=matched, words=len(words)
        )


def asked_text(question: Question) -> str:
    """All that the question asks: the user's messages of its history and its text.

    A short text such as "Yes, please." is the same as another only when what went before is too.
    """
    return "\n".join(asked_of(question))


def contaminated_rows(hits: Iterable[ContaminationHit]) -> dict[str, int]:
    """By suite, in how many rows any of its items was found."""
    pairs = {(one.suite, one.row) for one in hits}
    return dict(sorted(Counter(suite for suite, _ in pairs).items()))


def refusal(hit: ContaminationHit, setting: str, other: OnContamination = "exclude") -> InputError:
    """What ends a run that was told to fail on contamination. setting: where it was told so. other: what may help."""
    return InputError(
        f"{hit.row}: {hit.where}: holds {hit.words} words of {hit.item} of {hit.suite} "
        f"({' '.join(hit.matched.split()[:RUN_WORDS])!r}); leave it out, or set {setting} to {other}"
    )


def _later_turns(question: Question) -> Iterator[str]:
    """What the user says after `text`, in a suite's own record of a conversation (`BfclMultiTurn.user_turns`)."""
    if '"user_turns"' in question.reference:
        said = json.loads(question.reference).get("user_turns")
        yield "\n".join(said[1:] if isinstance(said, list) else ())
