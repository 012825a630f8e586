"""`python -m tests.benchmarks.bfcl_scoring`: the time to score all of BFCL's single-turn items, ours to bfcl-eval's own.

Each side in a process of its own, in turns; bfcl-eval's in its environment (`tests.battery.bfcl_environment`). Both
get the gold of every item and one wrong value, as parsed calls. `ratio`: judging alone, from records in memory to
verdicts. `ratio_with_reading`: also reading what the checker needs, ours from the questions' `reference`, theirs from
the data files. Seconds of the processor,
medians over the rounds. The last line is JSON; exit code 1 when a ratio is above 1, 2 when the
environment can't be built.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from components.contracts.records import Question
from components.scoring.bfcl.judge import judge_reference
from components.scoring.bfcl.reference import BfclReference
from tests.battery.bfcl_environment import ask_official, official_data, official_python
from tests.battery.bfcl_parity_single_turn import official_case
from tests.benchmarks.peers import PeerUnavailableError
from tests.bfcl_cases import Case, cases_of, read_items
from tests.bfcl_mutations import Item

KINDS = ("gold", "wrong_value", "no_call")


def cases(items: list[Item]) -> Iterator[tuple[Item, Case]]:
    """What both sides judge: no call stands for the gold where none is wanted."""
    for item in items:
        for case in cases_of(item, 0):
            if case.kind in (KINDS[:2] if item.golds else KINDS[2:]):
                yield item, case


def ours(data: Path, repeats: int) -> list[tuple[float, float]]:
    """Seconds of the processor for reading the references, and for judging."""
    items = read_items(data)
    questions = {one.id: Question(id=one.id, text="", reference=one.reference.to_json()) for one in items}
    given = [(item.id, case) for item, case in cases(items)]
    found = []
    for _ in range(repeats):
        start = time.process_time()
        references = {name: BfclReference.of(question) for name, question in questions.items()}
        begun = time.process_time()
        for name, case in given:
            judge_reference(references[name], case.calls, unparsed=case.unparsed)
        found.append((begun - start, time.process_time() - begun))
    return found


def main() -> int:
    """0 when we take no longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="the data folder of bfcl-eval; its own by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3, help="in each round; the fastest counts")
    parser.add_argument("--ours", action="store_true", help="one round of ours alone")
    given = parser.parse_args()
    try:
        python = official_python()
        data = given.data or official_data(python)
        if given.ours:
            print(json.dumps(ours(data, given.repeats)))
            return 0
        items = read_items(data)
        lines = [official_case(*one) for one in cases(items)]
        sides: dict[str, list[tuple[float, float]]] = {"ours": [], "official": []}
        for number in range(given.rounds):
            (theirs,) = ask_official(python, ["time", str(data), str(given.repeats)], lines)
            sides["official"].append(_fastest(theirs))
            sides["ours"].append(_fastest(_own_process(data, given.repeats)))
            print(f"[bfcl_scoring] {number + 1}/{given.rounds}", flush=True)
    except PeerUnavailableError as error:
        print(f"bfcl_scoring: {error}", file=sys.stderr)
        return 2
    reading = {name: statistics.median(read for read, _ in found) for name, found in sides.items()}
    judging = {name: statistics.median(judged for _, judged in found) for name, found in sides.items()}
    ratio = judging["ours"] / judging["official"]
    whole = (reading["ours"] + judging["ours"]) / (reading["official"] + judging["official"])
    line = {
        "ratio": round(ratio, 3),
        "ratio_with_reading": round(whole, 3),
        "items": len(items),
        "verdicts": len(lines),
        "judging_ms": {name: round(1000 * seconds, 1) for name, seconds in judging.items()},
        "reading_ms": {name: round(1000 * seconds, 1) for name, seconds in reading.items()},
    }
    print(json.dumps(line))
    return 0 if max(ratio, whole) <= 1 else 1


def _own_process(data: Path, repeats: int) -> list[tuple[float, float]]:
    command = [sys.executable, "-m", "tests.benchmarks.bfcl_scoring", "--ours", "--data", str(data)]
    done = subprocess.run(
        [*command, "--repeats", str(repeats)], stdout=subprocess.PIPE, text=True, check=True
    )
    return [(read, judged) for read, judged in json.loads(done.stdout.splitlines()[-1])]


def _fastest(found: list[tuple[float, float]]) -> tuple[float, float]:
    return min(read for read, _ in found), min(judged for _, judged in found)


if __name__ == "__main__":
    sys.exit(main())
