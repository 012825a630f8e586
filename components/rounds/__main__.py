"""`python -m components.rounds`: the stage from a shell, on artifact folders."""

import argparse
import sys
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError
from components.rounds.run import run

KEPT: dict[str, type[dsl.Artifact]] = {
    "best": dsl.Model,
    "best_labeled": dsl.Dataset,
    "best_evaluation": dsl.Dataset,
    "spare": dsl.Model,
    "spare_labeled": dsl.Dataset,
    "spare_evaluation": dsl.Dataset,
}


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
    parser.add_argument("--before", type=Path, help="the --output of the round before; absent for the first")
    parser.add_argument("--method", default="", help="ways of training, such as sft,dpo; none: handed on")
    parser.add_argument("--settings", default="", help="JSON object, such as '{\"margin\": 0.02}'")
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        help="folder for history/, report.html, next_adapter/, and best and spare, each with _labeled and _evaluation",
    )
    given = parser.parse_args(arguments)
    written = {
        name: _place(given.output / name, schema) for name, schema in {"history": dsl.Dataset, **KEPT}.items()
    }
    before = {}
    if given.before is not None:
        before = {f"{name}_so_far": _place(given.before / name, schema) for name, schema in KEPT.items()}
        before["earlier"] = _place(given.before / "history", dsl.Dataset)
    try:
        following = run(
            dsl.Dataset(uri=given.evaluation),
            dsl.Model(uri=given.adapter),
            dsl.Dataset(uri=given.labeled),
            dsl.Dataset(uri=given.base),
            given.settings,
            given.artifact_store,
            next_adapter=_place(given.output / "next_adapter", dsl.Model),
            metrics=dsl.Metrics(uri="metrics"),
            report=dsl.HTML(uri=str(given.output / "report.html")),
            method=given.method,
            **written,
            **before,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(following)
    return 0


def _place(folder: Path, kind: type[dsl.Artifact]) -> dsl.Artifact:
    return kind(uri=str(folder))


if __name__ == "__main__":
    sys.exit(main())
