"""`python -m components.preflight --base-model ... --tools-url ...`: the checks without Kubeflow."""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace

from components.contracts.errors import InputError
from components.preflight.run import run


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and make the checks; 2 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m components.preflight", description=__doc__)
    for name in ("questions", "base-model", "tools-url"):
        parser.add_argument(f"--{name}", required=True)
    for name in (
        "artifact-store",
        "checkpoint-root",
        "publish-to",
        "settings",
        "stage-settings",
        "method",
        "kind",
    ):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--report", type=Path, default=Path("preflight.md"), help="where the report goes")
    given = vars(parser.parse_args(arguments))
    try:
        run(**given | {"report": SimpleNamespace(path=str(given["report"]))})
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
