"""Which tools a question is offered: all that there are for it, or the few that fit its text best.

The fit is rank-bm25's BM25Okapi over what a schema says: the tool's name, its description, its parameters'
names and descriptions. The tools that are kept stay in the service's order: a place in the prompt then tells
nothing about the fit, so that a policy has to read descriptions and can't learn "the first one" instead; and
a set that fits whole is the set as it is. The gold never decides: where the retriever misses it, the model
can't call it, and `offered_golds` counts that.
"""

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from rank_bm25 import BM25Okapi

from components.contracts.records import Question, Trace
from components.contracts.tool_schemas import ToolSchema, parse_tools, tool_name, tool_parameters
from components.rollout.prompts import offers_tools, select_tools
from components.rollout.settings import RolloutSettings

CACHED_SETS = 8
CACHED_WORDS = 4096  # of each set; one takes 8 bytes a tool
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Scripts that write no spaces between words: Thai to Myanmar, Khmer, kana, ideographs.
_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003134f]+)"
)


def offer_tools(
    question: Question,
    available: Sequence[ToolSchema],
    settings: RolloutSettings,
    unavailable: dict[str, str] | None = None,
) -> tuple[ToolSchema, ...]:
    """What `question` is offered under these settings: see `select_tools`, at most `settings.max_tools` of them.

    Raises:
        InputError: the question names a tool that the service does not have.
    """
    if not offers_tools(settings.variant):
        return ()
    selected = select_tools(question, available, unavailable)
    return most_fitting(question.text, selected, settings.max_tools) if settings.max_tools else selected


def most_fitting(question_text: str, tools: Sequence[ToolSchema], k: int) -> tuple[ToolSchema, ...]:
    """The k of `tools` that fit the text best, in the order of `tools`; all of them where k reaches.

    Of equal scores the earlier tool is kept. The index of a set is made once and kept while the same tuple
    comes again.

    Raises:
        ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}, expected at least 1")
    if k >= len(tools):
        return tuple(tools)
    kept = sorted(_ranker(tools).best(question_text, k))
    return tuple(tools[place] for place in kept)


class ToolRanker:
    """BM25Okapi over one set of tools, the score of each word computed once."""

    def __init__(self, tools: Sequence[ToolSchema]) -> None:
        documents = [tool_words(tool) for tool in tools]
        self._size = len(documents)
        # BM25Okapi divides by the mean length, so that a set without any word has no index.
        self._index = BM25Okapi(documents) if any(documents) else None
        self._word_scores = lru_cache(maxsize=CACHED_WORDS)(self._score_word)

    def scores(self, question_text: str) -> NDArray[np.float64]:
        """(tools,) exactly what BM25Okapi.get_scores gives for the text's words."""
        total = np.zeros(self._size)
        if self._index is not None:
            for word in words(question_text):
                if word in self._index.idf:  # others add nothing
                    total += self._word_scores(word)
        return total

    def best(self, question_text: str, k: int) -> list[int]:
        """Places of the k best tools: by score descending, then by place."""
        order = np.argsort(-self.scores(question_text), kind="stable")
        return [int(place) for place in order[:k]]

    def _score_word(self, word: str) -> NDArray[np.float64]:
        assert self._index is not None
        found: NDArray[np.float64] = self._index.get_scores([word])
        return found


def tool_words(tool: ToolSchema) -> list[str]:
    """The words by which a tool is found."""
    parameters = tool_parameters(tool)
    about = (str(schema.get("description") or "") for schema in parameters.values())
    described = str(tool["function"].get("description") or "")
    return words("\n".join([tool_name(tool), described, *parameters, *about]))


def words(text: str) -> list[str]:
    """Lower-case words without accents; names are cut at `_`, `.`, `-` and at humps ("getUserID": get, user, id).

    Scripts without spaces give overlapping pairs of characters.
    """
    text = _HUMP.sub(" ", text)
    if text.isascii():
        return re.findall(r"[a-z0-9]+", text.lower())
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = unicodedata.normalize("NFC", "".join(one for one in plain if not unicodedata.combining(one)))
    spaced = "".join(one if one.isalnum() or unicodedata.category(one)[0] == "M" else " " for one in bare)
    found: list[str] = []
    for run in _UNSPACED.sub(r" \1 ", spaced).split():
        pairs = len(run) > 1 and _UNSPACED.fullmatch(run)
        found += [run[at : at + 2] for at in range(len(run) - 1)] if pairs else [run]
    return found


def offered_golds(traces: Iterable[Trace]) -> dict[str, JsonValue]:
    """How often all tools of an accepted turn were on offer: `questions` with golds, `offered`, `recall`.

    recall: offered / questions, in [0, 1]; None without a question that has golds.
    """
    questions = offered = 0
    for trace in traces:
        if not trace.question.golds:
            continue
        names = {tool_name(tool) for tool in parse_tools(trace.tools)}
        questions += 1
        offered += any(all(call.name in names for call in calls) for calls in trace.question.golds)
    recall = offered / questions if questions else None
    return {"questions": questions, "offered": offered, "recall": recall}


# By identity: comparing a thousand schemas would take longer than ranking them. The tuple is kept
# with its ranker, so that no other set can come to have its id.
_rankers: OrderedDict[int, tuple[Sequence[ToolSchema], ToolRanker]] = OrderedDict()


def _ranker(tools: Sequence[ToolSchema]) -> ToolRanker:
    if not isinstance(tools, tuple):  # it may change between two calls
        return ToolRanker(tools)
    if id(tools) not in _rankers:
        _rankers[id(tools)] = (tools, ToolRanker(tools))
        while len(_rankers) > CACHED_SETS:
            _rankers.popitem(last=False)
    _rankers.move_to_end(id(tools))
    return _rankers[id(tools)][1]
