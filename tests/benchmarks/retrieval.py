"""Best passage by BM25: ours against rank-bm25, same corpus, same queries, same scores to the bit.

The corpus is synthetic (word frequencies by Zipf's law, seeded); queries look like questions: four of
the most common words and three words of one passage. A third arm scores every passage with our
own index, to show what pruning alone gives.

    python -m tests.benchmarks.retrieval

Exit code 1 when scores or best passages differ, 2 when rank-bm25 is not installed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tools_service.bm25 import Bm25Index
from tools_service.bm25_build import build_index
from tools_service.corpus import Passage, words

VOCABULARY = 400_000
LENGTH = 60  # words a passage, on average
QUERIES = 20


def make_corpus(passages: int, seed: int) -> Iterator[str]:
    """Passages of words `w<rank>`, drawn by Zipf's law."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, VOCABULARY + 1)
    cumulative = np.cumsum(weights / weights.sum())
    names = [f"w{rank}" for rank in range(VOCABULARY)]
    for _ in range(passages):
        length = int(random.integers(LENGTH // 2, 3 * LENGTH // 2))
        ranks = np.searchsorted(cumulative, random.random(length) * cumulative[-1])
        yield " ".join([names[rank] for rank in np.minimum(ranks, VOCABULARY - 1)])


def make_queries(texts: list[str], seed: int) -> list[list[str]]:
    """Question-like queries, as tokens."""
    random = np.random.default_rng(seed)
    queries = []
    for place in random.integers(len(texts), size=QUERIES):
        common = [f"w{rank}" for rank in random.integers(50, size=4)]
        queries.append(common + [str(word) for word in random.choice(texts[place].split(), size=3)])
    return queries


def main() -> int:
    """Prints each arm's milliseconds a query, then the JSON line."""
    try:
        from rank_bm25 import BM25Okapi
    except ImportError:
        print("retrieval: the peer, rank-bm25, is not installed; pip install rank-bm25", file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.retrieval", description=__doc__)
    parser.add_argument("--passages", type=int, default=200_000)
    count: int = parser.parse_args().passages
    texts = list(make_corpus(count, seed=1))
    queries = make_queries(texts, seed=2)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        start = time.perf_counter()
        build_index((Passage(id=place, text=text) for place, text in enumerate(texts)), folder)
        built = time.perf_counter() - start
        start = time.perf_counter()
        index = Bm25Index(folder)
        opened = time.perf_counter() - start
        peer = BM25Okapi([words(text) for text in texts])
        times: dict[str, list[float]] = {"rank_bm25": [], "ours": [], "ours_every_passage": []}
        for query in queries:
            start = time.perf_counter()
            theirs = peer.get_scores(query)
            best = int(np.argmax(theirs))  # the first of equals, as ours
            times["rank_bm25"].append(time.perf_counter() - start)
            start = time.perf_counter()
            (hit,) = index.best(query)
            times["ours"].append(time.perf_counter() - start)
            start = time.perf_counter()
            scores = index.scores(query)
            times["ours_every_passage"].append(time.perf_counter() - start)
            if not np.array_equal(scores.view(np.int64), theirs.view(np.int64)):
                print(
                    f"retrieval: the scores of {' '.join(query)!r} differ from rank-bm25's", file=sys.stderr
                )
                return 1
            if (hit.document, hit.score) != (best, float(theirs[best])):
                print(f"retrieval: the best passage of {' '.join(query)!r} differs", file=sys.stderr)
                return 1
    arms = {f"{name}_ms": round(statistics.median(values) * 1000, 4) for name, values in times.items()}
    for name, value in arms.items():
        print(f"{name}: {value}")
    result = {
        "name": "retrieval",
        "ratio": round(arms["rank_bm25_ms"] / arms["ours_ms"], 1),
        "arms": arms,
        "passages": count,
        "queries": len(queries),
        "scores_bitwise_equal": True,
        "build_seconds": round(built, 2),
        "open_seconds": round(opened, 4),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
