"""The parts of `tests.battery.bfcl_parity` beside verdicts: readers of written values, and tables. Not a test."""

import random
import tempfile
from pathlib import Path

from components.scoring.bfcl.java import read_java
from components.scoring.bfcl.javascript import read_javascript
from components.scoring.bfcl.reference import FAMILY
from components.scoring.bfcl.scores import GROUP_SIZES, bfcl_scores
from tests.battery.bfcl_environment import Outcome, ask_official
from tests.bfcl_texts import written_values
from tests.judged_bfcl import judged_items

TABLES = 20
TEXTS = 20_000


def readers(python: Path, data: Path, seeds: int, record: Path | None) -> Outcome:
    """Random Java and JavaScript texts through both sides' readers of values."""
    outcome = Outcome()
    for language, reader in (("java", read_java), ("js", read_javascript)):
        texts = list(written_values(language, random.Random(f"{seeds}/{language}"), TEXTS * seeds))
        found = ask_official(python, ["read", language], texts)
        for (text, declared, items), (theirs,) in zip(texts, found, strict=True):
            if theirs is None:  # theirs failed; ours makes no value of it or fails too
                continue
            ours = repr(reader(text, declared, items))
            outcome.verdicts += 1
            outcome.agreed += ours == theirs
            if ours != theirs:
                outcome.disagreements.append(
                    {
                        "part": "readers",
                        "text": text,
                        "type": declared,
                        "items": items,
                        "official": theirs,
                        "ours": ours,
                    }
                )
    return outcome


def tables(python: Path, data: Path, seeds: int, record: Path | None) -> Outcome:
    """Random accuracies through both sides' v4 table; its numbers are percentages with two decimals."""
    source = random.Random(seeds)
    sizes = {**GROUP_SIZES, **dict.fromkeys(_AGENTIC, 50)}
    runs = [{name: (source.randint(0, size), size) for name, size in sizes.items()} for _ in range(TABLES)]
    accuracies = [{name: (right / size, size) for name, (right, size) in run.items()} for run in runs]
    with tempfile.TemporaryDirectory() as folder:
        (found,) = ask_official(python, ["tables", folder], accuracies)
    outcome = Outcome(verdicts=len(runs))
    for run, (header, row) in zip(runs, found, strict=True):
        ours = bfcl_scores(judged_items({FAMILY + name: counts for name, counts in run.items()}), "v4")
        theirs = dict(zip(header, row, strict=True))
        wrong = {
            name: (ours[name], theirs[column])
            for name, column in _COLUMNS.items()
            if abs(100 * ours[name] - float(theirs[column].rstrip("%"))) > 0.005 + 1e-9
        }
        outcome.agreed += not wrong
        if wrong:
            outcome.disagreements.append({"part": "tables", "wrong": wrong})
    return outcome


_AGENTIC = ("web_search_base", "web_search_no_snippet", "memory_kv", "memory_vector", "memory_rec_sum")
_COLUMNS = {
    "overall": "Overall Acc",
    "non_live": "Non-Live AST Acc",
    "live": "Live Acc",
    "multi_turn": "Multi Turn Acc",
    "relevance": "Relevance Detection",
    "irrelevance": "Irrelevance Detection",
}
