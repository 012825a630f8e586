"""BM25 search against rank-bm25 itself: the same scores to the bit, the same ranking."""

import gzip
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

import tools_service.bm25
from components.contracts.errors import InputError
from tools_service.bm25 import Bm25Index
from tools_service.bm25_build import build_index
from tools_service.corpus import Passage, read_passages, words

WORDS = [f"w{number}" for number in range(12)]


def build(texts: list[list[str]], folder: Path) -> Bm25Index:
    """The index of texts given as tokens."""
    folder.mkdir(exist_ok=True)
    build_index((Passage(id=place, text=" ".join(tokens)) for place, tokens in enumerate(texts)), folder)
    return Bm25Index(folder)


def oracle_ranking(scores: NDArray[np.float64], k: int) -> list[tuple[int, float]]:
    """By score descending, then place ascending."""
    order = np.lexsort((np.arange(len(scores)), -scores))[:k]
    return [(int(place), float(scores[place])) for place in order]


def assert_equal_to_oracle(index: Bm25Index, oracle: BM25Okapi, query: list[str], k: int) -> None:
    """Scores bitwise, ranking exactly."""
    expected = oracle.get_scores(query)
    assert np.array_equal(index.scores(query).view(np.int64), expected.view(np.int64))
    assert [tuple(hit) for hit in index.best(query, k)] == oracle_ranking(expected, k)


corpora = st.lists(st.lists(st.sampled_from(WORDS), max_size=8), min_size=1, max_size=24).filter(any)
queries = st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=6)


@pytest.mark.parametrize("small", [0, 100_000], ids=["pruning", "scoring-all"])
@given(texts=corpora, query=queries, k=st.integers(1, 30))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_corpus_and_query_equal_rank_bm25(
    small: int,
    texts: list[list[str]],
    query: list[str],
    k: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Small corpora with many negative and zero idf values, repeated words, ties and unknown words.
    with monkeypatch.context() as patched:
        patched.setattr(tools_service.bm25, "SMALL", small)
        patched.setattr(tools_service.bm25, "WORK_OF_POSTING", 1)
        patched.setattr(tools_service.bm25, "WORK_OF_CANDIDATE", 0)
        folder = tmp_path_factory.mktemp("index")
        assert_equal_to_oracle(build(texts, folder), BM25Okapi(texts), query, k)


def test_pruned_search_equals_rank_bm25_on_a_zipf_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools_service.bm25, "SMALL", 0)
    monkeypatch.setattr(tools_service.bm25, "WORK_OF_POSTING", 2)
    random = np.random.default_rng(5)
    texts = [
        [f"w{rank}" for rank in np.minimum(random.zipf(1.3, random.integers(5, 30)), 3000)]
        for _ in range(3000)
    ]
    index, oracle = build(texts, tmp_path / "index"), BM25Okapi(texts)
    pruned = 0
    for _ in range(150):
        common = [f"w{rank}" for rank in random.integers(1, 6, size=2)]
        query = common + [str(word) for word in random.choice(texts[random.integers(len(texts))], size=2)]
        pruned += index._candidates(query, 1) is not None
        for k in (1, 3, 50):
            assert_equal_to_oracle(index, oracle, query, k)
    assert pruned > 30


def test_real_passages_equal_rank_bm25(tmp_path: Path) -> None:
    data = os.environ.get("WHETSTONE_TEST_DATA")
    if not data or not (Path(data) / "wikipedia" / "passages.jsonl.gz").is_file():
        pytest.skip("WHETSTONE_TEST_DATA: no wikipedia/passages.jsonl.gz")
    passages = list(read_passages(Path(data) / "wikipedia" / "passages.jsonl.gz"))[:3000]
    build_index(passages, tmp_path)
    index = Bm25Index(tmp_path)
    oracle = BM25Okapi([words(passage.shown) for passage in passages])
    for passage in passages[:120]:
        query = words(f"what is the occupation of {passage.title}?")
        assert_equal_to_oracle(index, oracle, query, 5)
        assert index.passage(index.best(query)[0].document) in passages


def test_several_threads_get_the_answers_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools_service.bm25, "SMALL", 0)
    random = np.random.default_rng(1)
    texts = [[f"w{rank}" for rank in np.minimum(random.zipf(1.4, 20), 900)] for _ in range(2000)]
    index = build(texts, tmp_path / "index")
    wanted = [[str(word) for word in random.choice(texts[place], size=3)] for place in range(60)]
    expected = [index.best(query, 3) for query in wanted]
    wrong: list[int] = []

    def search_all() -> None:
        wrong.extend(place for place, query in enumerate(wanted) if index.best(query, 3) != expected[place])

    threads = [threading.Thread(target=search_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_chunks_of_any_size_give_the_same_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    texts = [[f"w{rank}" for rank in random.integers(40, size=random.integers(0, 12))] for _ in range(103)]
    build(texts, tmp_path / "whole")
    monkeypatch.setattr("tools_service.bm25_build.CHUNK", 10)
    build(texts, tmp_path / "chunks")
    for path in sorted((tmp_path / "whole").iterdir()):
        assert path.read_bytes() == (tmp_path / "chunks" / path.name).read_bytes(), path.name


def test_words_ignore_case_accents_and_punctuation() -> None:
    assert words("São Paulo's ÉCOLE, 2nd (1999)") == ["sao", "paulo", "s", "ecole", "2nd", "1999"]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"id": 1, "title": "a"}', "text"),
        ('{"id": 1, "title": "a", "text": 3}', "text"),
        ('{"title": "a", "text": "b"}', "id"),
        ("[1, 2]", "line"),
        ('{"id": 1, "text": "cut of', "line"),
        ('{"id": 1, "text": "\\ud800"}', "line"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, field: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"id": 0, "title": "a", "text": "b", "source": "kept out"}\n\n' + line + "\n")
    with pytest.raises(InputError, match=rf"corpus\.jsonl:3: {field}: ") as caught:
        list(read_passages(path))
    assert "\n" not in str(caught.value)


def test_a_corpus_that_is_missing_empty_damaged_or_wordless_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_passages(tmp_path / "absent.jsonl"))
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match="no passages"):
        list(read_passages(tmp_path / "empty.jsonl"))
    whole = gzip.compress(json.dumps({"id": 1, "text": "word " * 500}).encode())
    for name, content in (("cut.jsonl.gz", whole[:-20]), ("text.jsonl.gz", b"plain text")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="damaged gzip"):
            list(read_passages(tmp_path / name))
    with pytest.raises(InputError, match="no passage has a word"):
        build_index([Passage(id=1, text="...")], tmp_path)
