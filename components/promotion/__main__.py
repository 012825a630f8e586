"""`python -m components.promotion`: the stage from a shell, on artifact folders."""

import argparse
import sys
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError
from components.promotion.run import run


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used. Not being promoted is not an error."""
    parser = argparse.ArgumentParser(
        prog="python -m components.promotion",
        description=run.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--before", required=True, help="folder of an artifact evaluation/1")
    parser.add_argument(
        "--after", required=True, help="folder of an artifact evaluation/1, with the adapter on"
    )
    parser.add_argument("--adapter", required=True, help="folder of the artifact adapter/1")
    parser.add_argument("--labeled", required=True, help="folder of an artifact labeled_traces/1")
    parser.add_argument("--publish-to", default="", help="s3:// prefix or folder; empty publishes nothing")
    parser.add_argument("--settings", default="", help="JSON object, such as '{\"no_tool_margin\": 0.02}'")
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument(
        "--output", required=True, type=Path, help="folder for comparison/, model_card.md and report.html"
    )
    parser.add_argument("--between", default="", help="folder of an evaluation/1 on the way, to be shown")
    parser.add_argument(
        "--without-tools", default="", help="folder of an evaluation/1 of the base model without tools"
    )
    given = parser.parse_args(arguments)
    try:
        run(
            dsl.Dataset(uri=given.before),
            dsl.Dataset(uri=given.after),
            dsl.Model(uri=given.adapter),
            dsl.Dataset(uri=given.labeled),
            given.publish_to,
            given.settings,
            given.artifact_store,
            dsl.Dataset(uri=str(given.output / "comparison")),
            dsl.Markdown(uri=str(given.output / "model_card.md")),
            dsl.Metrics(uri="metrics"),
            dsl.HTML(uri=str(given.output / "report.html")),
            dsl.Dataset(uri=given.between) if given.between else None,
            dsl.Dataset(uri=given.without_tools) if given.without_tools else None,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
