"""`python -m components.rounds`: the stage from a shell, on artifact folders."""

import argparse
import sys
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError
from components.rounds.run import run


def main(arguments: list[str] | None = None) -> int:
    """Run the stage and print the next round's method; 2 when an input can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m components.rounds",
        description=run.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--evaluation", required=True, help="folder of this round's evaluation/1")
    parser.add_argument("--adapter", required=True, help="folder of this round's adapter/1")
    parser.add_argument("--labeled", required=True, help="folder of this round's labeled_traces/1")
    parser.add_argument("--base", required=True, help="folder of the base model's evaluation/1")
    parser.add_argument("--earlier", default="", help="folder of the rounds/1 of the round before")
    parser.add_argument("--best-so-far", default="", help="folder of the best adapter/1 so far")
    parser.add_argument("--method", default="", help="ways of training, such as sft,dpo; none: handed on")
    parser.add_argument("--settings", default="", help="JSON object, such as '{\"margin\": 0.02}'")
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument(
        "--output", required=True, type=Path, help="folder for history/, best/, next_adapter/ and report.html"
    )
    given = parser.parse_args(arguments)
    try:
        following = run(
            dsl.Dataset(uri=given.evaluation),
            dsl.Model(uri=given.adapter),
            dsl.Dataset(uri=given.labeled),
            dsl.Dataset(uri=given.base),
            given.settings,
            given.artifact_store,
            dsl.Dataset(uri=str(given.output / "history")),
            dsl.Model(uri=str(given.output / "best")),
            dsl.Model(uri=str(given.output / "next_adapter")),
            dsl.Metrics(uri="metrics"),
            dsl.HTML(uri=str(given.output / "report.html")),
            dsl.Dataset(uri=given.earlier) if given.earlier else None,
            dsl.Model(uri=given.best_so_far) if given.best_so_far else None,
            given.method,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(following)
    return 0


if __name__ == "__main__":
    sys.exit(main())
