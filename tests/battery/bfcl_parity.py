"""`python -m tests.battery.bfcl_parity [--data DIR] [--seeds N] [--record]`: our BFCL verdicts against bfcl-eval's own.

Every single-turn item, with its gold and with one answer of each kind of `tests.bfcl_cases` a seed, goes through our
checker and through the official one, which runs in an environment of its own. Then random written values go through
both sides' readers of Java and JavaScript, and random accuracies through both sides' tables. Irrelevance is compared
as the official checker counts it; how many parse failures it calls right is in the line. Where the official checker
fails with an exception, ours must say wrong.

The last line is JSON with `agreement`, `items`, and the numbers of each part. Exit code 1 when a verdict differs, 2
when the environment can't be built. --record writes the official verdicts of seed 0 for the unit tests.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.battery.bfcl_environment import Outcome, official_data, official_python
from tests.battery.bfcl_parity_multi_turn import multi_turn
from tests.battery.bfcl_parity_single_turn import single_turn
from tests.battery.bfcl_parity_sums import readers, tables
from tests.benchmarks.peers import PeerUnavailableError
from tests.bfcl_verdicts import RECORDED

SHOWN = 20

# A part compares one thing: (the other environment's Python, the data folder, how many seeds, where to record).
PARTS: Mapping[str, Callable[[Path, Path, int, Path | None], Outcome]] = {
    "single_turn": single_turn,
    "readers": readers,
    "tables": tables,
    "multi_turn": multi_turn,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything agreed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="the data folder of bfcl-eval; its own by default")
    parser.add_argument("--seeds", type=int, default=2, help="wrong answers of each kind for an item")
    parser.add_argument(
        "--record", action="store_true", help="write the verdicts that the unit tests compare with"
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="all by default")
    given = parser.parse_args(arguments)
    try:
        python = official_python()
        data = given.data or official_data(python)
        record = RECORDED if given.record else None
        outcomes = {name: PARTS[name](python, data, given.seeds, record) for name in given.part or PARTS}
    except PeerUnavailableError as error:
        print(f"bfcl_parity: {error}", file=sys.stderr)
        return 2
    verdicts = sum(outcome.verdicts for outcome in outcomes.values())
    agreed = sum(outcome.agreed for outcome in outcomes.values())
    for outcome in outcomes.values():
        for one in outcome.disagreements[:SHOWN]:
            print(json.dumps(one))
    line = {
        "agreement": agreed / verdicts,
        "items": sum(outcome.items for outcome in outcomes.values()),
        "verdicts": verdicts,
        "disagreements": verdicts - agreed,
        **{
            name: {"verdicts": one.verdicts, "agreed": one.agreed, **one.more}
            for name, one in outcomes.items()
        },
    }
    print(json.dumps(line))
    return 0 if agreed == verdicts else 1


if __name__ == "__main__":
    sys.exit(main())
