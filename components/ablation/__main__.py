"""`python -m components.ablation`: the stage from a shell, on artifact folders."""

import argparse
import sys
from pathlib import Path

from kfp import dsl

from components.ablation.run import run
from components.contracts.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m components.ablation",
        description=run.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--base", default="", help="folder of the base model's evaluation/1")
    parser.add_argument("--without-tools", default="", help="folder of its evaluation/1 without tools")
    parser.add_argument("--evaluations", required=True, nargs="+", help="folders of the rows' evaluation/1")
    parser.add_argument("--adapters", default=[], nargs="+", help="folders of the adapter/1 they judged")
    parser.add_argument("--settings", default="", help='JSON object, such as \'{"reference": "MAE"}\'')
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument(
        "--output", required=True, type=Path, help="folder for comparison/, table.md and report.html"
    )
    given = parser.parse_args(arguments)
    try:
        run(
            [dsl.Dataset(uri=folder) for folder in given.evaluations],
            [],
            [dsl.Model(uri=folder) for folder in given.adapters],
            [],
            given.settings,
            given.artifact_store,
            dsl.Dataset(uri=str(given.output / "comparison")),
            dsl.Metrics(uri="metrics"),
            dsl.HTML(uri=str(given.output / "report.html")),
            dsl.Markdown(uri=str(given.output / "table.md")),
            dsl.Dataset(uri=given.base) if given.base else None,
            dsl.Dataset(uri=given.without_tools) if given.without_tools else None,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print((given.output / "table.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
