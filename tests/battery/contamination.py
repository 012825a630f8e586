"""`python -m tests.battery.contamination --data DIR`: every suite's items planted in training rows, and found or not.

DIR holds published rows (as WHETSTONE_TEST_DATA); `--bfcl` is the `data` folder of the bfcl-eval wheel. Each item is
planted verbatim once in a tool's reply, in an assistant's answer, in a user's message, in the system text, in a tool's
description, and as the request itself, at random places of foreign text, one of them in capitals, one as JSON; of a conversation also what its user says
later. Then `--rows` clean rows are compared, for
time and memory. Exit code 1 when an item was not found. The last line is JSON: recall per suite, how many rows of
foreign sets are flagged, seconds and MiB.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from components.contracts.jsonl import read_records
from components.contracts.records import Question, Trace
from components.ingest.quarantine import Quarantine
from components.ingest.run import run
from components.ingest.settings import IngestSettings
from components.ingest.suites import read_suites
from components.scoring.bfcl.multi_turn_reference import BfclMultiTurn
from components.scoring.contamination import (
    RUN_WORDS,
    SENTENCE_WORDS,
    Benchmarks,
    asked_text,
)
from components.scoring.judgement import MULTI_TURN
from components.scoring.training_text import (
    TrainingText,
    described_system,
    described_tools,
    question_text,
    trace_text,
)
from components.scoring.words import words_of
from tests.bfcl_questions import bfcl_data

SUITES = {
    "api_bank:1": "api_bank/level-1-api.json",
    "api_bank:2": "api_bank/level-2-api.json",
    "rotbench:clean": "rotbench/First_Turn_clean.json",
    "rotbench:slight": "rotbench/First_Turn_slight.json",
    "rotbench:medium": "rotbench/First_Turn_medium.json",
    "toolalpaca": "toolalpaca/eval_real.json",
    "tooleyes": "tooleyes/scenario_data_zero_processed.json",
    "popqa": "popqa/popqa_500_with_paragraphs.jsonl",
    "nq": "nq_open/nq-open-oracle.jsonl.gz",
    "gsm8k": "gsm8k/train.jsonl",
}
FOREIGN = {"toolrl": "tool_calls/toolrl_rlla_sft_400.json", "glaive": "tool_calls/glaive_toolcall_en_demo.json",
           "seal_tools": "tool_calls/seal_tools_dev.jsonl"}  # fmt: skip
IN_PROMPTS = ("system text", "tool's description")
Plant = Callable[[str, str, str], TrainingText]
# before, item, behind -> row
PLANTS: dict[str, Plant] = {
    "reply": lambda before, item, behind: _row(("Hello?",), f"{before}\n{item}\n{behind}"),
    "reply as JSON": lambda before, item, behind: _row(("Hello?",), json.dumps({"a": before, "b": [item, behind]})),
    "answer in capitals": lambda before, item, behind: _row(("Hello?",), f"{before}. {item.upper()}\n{behind}"),
    "request among others": lambda before, item, behind: _row((f"{before}\n{item}", behind), "Yes."),
    "system text": lambda before, item, behind: _prompted(f"{before}\n{item}\n{behind}", "A function."),
    "tool's description": lambda before, item, behind: _prompted("Answer.", f"{before}\n{item}\n{behind}"),
}  # fmt: skip


def _prompted(system: str, described: str) -> TrainingText:
    function = {"name": "f", "description": described, "parameters": {"type": "object", "properties": {}}}
    tools = described_tools(json.dumps([{"type": "function", "function": function}]))
    return TrainingText("planted", ("Hello?",), (), (("system", described_system(system)), ("tools", tools)))


def _row(asked: tuple[str, ...], reply: str) -> TrainingText:
    return TrainingText("planted", asked, (("message 3 (tool)", reply),))


def ingested(path: Path) -> tuple[list[Question], list[Trace]]:
    """All of a file's questions, as ingest reads them, and the traces of its training side."""
    with tempfile.TemporaryDirectory() as folder:
        places = [SimpleNamespace(path=f"{folder}/{name}") for name in ("set", "traces", "report.md")]
        settings = {"held_out_share": 0.5, "on_contamination": "list", "train_on_long_tail": "always"}
        metrics = SimpleNamespace(log_metric=lambda *_: None)
        run(str(path), json.dumps(settings), "", *places[:2], metrics, places[2])
        asked = [
            question
            for side in ("train", "held_out")
            for question in read_records(Path(places[0].path) / f"{side}.jsonl", Question)
        ]
        return asked, list(read_records(Path(places[1].path) / "traces.jsonl", Trace))


def bfcl_suites(data: Path) -> dict[str, list[Question]]:
    """Every group of BFCL as ingest judges by it. data: the `data` folder of the bfcl-eval wheel."""
    settings = IngestSettings.model_validate(
        {"suites": "bfcl,bfcl:exec,bfcl:multi_turn", "suite_data": {"bfcl": str(data)}}
    )
    with tempfile.TemporaryDirectory() as folder:
        read = read_suites(settings, Quarantine(Path(folder) / "quarantine.jsonl"), Path(folder))
    return {suite.name: suite.questions for suite in read}


def later_turns(item: Question) -> str:
    """What the user of a BFCL conversation says after the first turn."""
    return "\n".join(BfclMultiTurn.of(item).user_turns[1:]) if item.suite.startswith(MULTI_TURN) else ""


def recall(
    benchmarks: Benchmarks,
    suite: str,
    items: Sequence[Question],
    foreign: Sequence[str],
    chance: random.Random,
) -> dict[str, Any]:
    """The share of items found, by how they were planted; the shortest ones count as whole requests only."""
    found = dict.fromkeys(PLANTS, 0)
    planted = requests = short = later = conversations = 0
    for item in items:
        text = asked_text(item)
        whole = TrainingText("planted", tuple(text.split("\n")), ())
        requests += any(hit.item == item.id and hit.suite == suite for hit in benchmarks.hits(whole))
        if len(words_of(said := later_turns(item))) >= RUN_WORDS:
            conversations += 1
            hits = benchmarks.hits(PLANTS["reply"]("", said, ""))
            later += any(hit.item == item.id and hit.suite == suite for hit in hits)
        if len(words_of(text)) < SENTENCE_WORDS:
            short += 1
            continue
        planted += 1
        for name, plant in PLANTS.items():
            before, behind = _piece(foreign, chance), _piece(foreign, chance)
            hits = benchmarks.hits(plant(before, text, behind))
            is_phrase = name in IN_PROMPTS and (suite, item.id) in benchmarks.phrases
            found[name] += is_phrase or any(hit.item == item.id and hit.suite == suite for hit in hits)
    shares = {name: round(count / max(planted, 1), 6) for name, count in found.items()}
    shares["request"] = round(requests / len(items), 6)
    shares["later turns"] = round(later / conversations, 6) if conversations else 1.0
    return {"items": len(items), "shorter": short, **shares}


def _piece(foreign: Sequence[str], chance: random.Random) -> str:
    words = chance.choice(foreign).split()
    start = chance.randrange(len(words))
    return " ".join(words[start : start + chance.randrange(200)])


def clean_rows(count: int, chance: random.Random) -> Iterator[TrainingText]:
    """Rows of 200 words that no item holds, made of its items' own words as well as of others."""
    vocabulary = [
        "the",
        "of",
        "a",
        "in",
        "to",
        "what",
        "is",
        "who",
        "was",
        "please",
        "find",
        "me",
        "for",
        "i",
        "weather",
        "price",
        "list",
        "number",
        "and",
        "with",
    ]
    vocabulary += [f"word{n}" for n in range(5000)]
    for number in range(count):
        words = chance.choices(vocabulary, k=200)
        yield TrainingText(
            str(number), (" ".join(words[:50]),), (("message 3 (tool)", " ".join(words[50:])),)
        )


def main(arguments: list[str] | None = None) -> int:
    """Plant, look, count."""
    parser = argparse.ArgumentParser(prog="python -m tests.battery.contamination", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of published rows")
    parser.add_argument("--bfcl", type=Path, default=None, help="the data folder of the bfcl-eval wheel")
    parser.add_argument("--rows", type=int, default=50_000, help="clean rows that are compared for the time")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    chance = random.Random(given.seed)
    suites = {
        name: ingested(given.data / file)[0] for name, file in SUITES.items() if (given.data / file).is_file()
    }
    bfcl = given.bfcl or bfcl_data()
    if bfcl.is_dir():
        suites |= bfcl_suites(bfcl)
    start = time.perf_counter()
    benchmarks = Benchmarks(suites)
    built = time.perf_counter() - start
    sets = {
        name: ingested(given.data / file) for name, file in FOREIGN.items() if (given.data / file).is_file()
    }
    rows = {
        name: [*map(question_text, asked), *map(trace_text, traces)] for name, (asked, traces) in sets.items()
    }
    flagged = {name: sum(bool(benchmarks.hits(row)) for row in texts) for name, texts in rows.items()}
    texts = [text for some in rows.values() for row in some for _, text in row.others if text.strip()]
    recalls = {name: recall(benchmarks, name, items, texts, chance) for name, items in suites.items()}
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    false = sum(bool(benchmarks.hits(row)) for row in clean_rows(given.rows, chance))
    seconds = time.perf_counter() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    names = ("request", "later turns", *PLANTS)
    missed = {name: one for name, one in recalls.items() if any(one[share] < 1 for share in names)}
    print(
        json.dumps(
            {
                "recall": {name: min(one[share] for share in names) for name, one in recalls.items()},
                "items": {name: one["items"] for name, one in recalls.items()},
                "shorter_than_a_sentence": {name: one["shorter"] for name, one in recalls.items()},
                "phrases_of_prompts": sorted(item for _, item in benchmarks.phrases),
                "missed": missed,
                "flagged_foreign": {name: [flagged[name], len(rows[name])] for name in rows},
                "clean_rows": given.rows,
                "clean_flagged": false,
                "index_seconds": round(built, 2),
                "seconds": round(seconds, 1),
                "grown_mib": round(grown / 1024, 1),
            }
        )
    )
    return 1 if missed or false else 0


if __name__ == "__main__":
    sys.exit(main())
