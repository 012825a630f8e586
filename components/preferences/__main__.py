"""`python -m components.preferences`: the stage from a shell, on artifact folders."""

import argparse
import sys
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError
from components.preferences.run import run


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m components.preferences",
        description=run.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--labeled", required=True, help="folder of an artifact labeled_traces/1")
    parser.add_argument("--settings", default="", help='JSON object, such as \'{"preset": "demo"}\'')
    parser.add_argument("--kind", default="", help="response, conversation or masked_conversation")
    parser.add_argument("--method", default="", help="ways of training, as the pipeline has them")
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder for pairs/ and report.html")
    given = parser.parse_args(arguments)
    metrics = dsl.Metrics(uri="metrics")
    try:
        run(
            dsl.Dataset(uri=given.labeled),
            given.settings,
            given.artifact_store,
            dsl.Dataset(uri=str(given.output / "pairs")),
            metrics,
            dsl.HTML(uri=str(given.output / "report.html")),
            given.kind,
            given.method,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for name, value in metrics.metadata.items():
        print(f"{name}\t{value:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
