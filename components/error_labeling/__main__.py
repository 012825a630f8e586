"""`python -m components.error_labeling`: the stage from a shell, on artifact folders."""

import argparse
import sys
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError
from components.error_labeling.run import run


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m components.error_labeling",
        description=run.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("traces", nargs="*", help="folders of artifacts traces/1, one a shard")
    parser.add_argument(
        "--trajectories", default="", help="folder of an artifact traces/1 that a user brought"
    )
    parser.add_argument("--overrides", default="{}", help="JSON object merged over the settings")
    parser.add_argument("--settings", default="", help='JSON object, such as \'{"preset": "demo"}\'')
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder for labeled/ and report.html")
    given = parser.parse_args(arguments)
    if not given.traces and not given.trajectories:
        parser.error("nothing to label; expected folders of traces/1, or --trajectories with one")
    metrics = dsl.Metrics(uri="metrics")
    try:
        run(
            [dsl.Dataset(uri=folder) for folder in given.traces],
            given.settings,
            given.artifact_store,
            dsl.Dataset(uri=str(given.output / "labeled")),
            metrics,
            dsl.ClassificationMetrics(uri="classification"),
            dsl.HTML(uri=str(given.output / "report.html")),
            dsl.Dataset(uri=given.trajectories) if given.trajectories else None,
            given.overrides,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for name, value in metrics.metadata.items():
        print(f"{name}\t{value:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
