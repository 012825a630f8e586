"""`python -m components.ingest --questions FILE --output FOLDER`: ingest without Kubeflow."""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace

from components.contracts.errors import InputError
from components.ingest.run import run


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; 2 when the input can't be used."""
    parser = argparse.ArgumentParser(prog="python -m components.ingest", description=__doc__)
    parser.add_argument(
        "--questions", required=True, help="files, folders, s3:// or demo://, comma separated"
    )
    parser.add_argument("--settings", default="", help="JSON settings of components.ingest.settings")
    parser.add_argument("--artifact-store", default="", help="s3:// prefix or folder for the payload")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for question_set/, trajectories/ and report.md"
    )
    parser.add_argument("--validation", action="store_true", help="set training subjects aside for it")
    given = parser.parse_args(arguments)
    names = ("question_set", "trajectories", "report.md")
    question_set, trajectories, report = (SimpleNamespace(path=str(given.output / name)) for name in names)
    metrics = SimpleNamespace(log_metric=lambda metric, value: None)
    try:
        run(
            given.questions,
            given.settings,
            given.artifact_store,
            question_set,
            trajectories,
            metrics,
            report,
            given.validation,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
