"""`python -m components.mcts`: the stage from a shell, on artifact folders."""

import argparse
import sys
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError
from components.mcts.run import run


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m components.mcts",
        description=run.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--question-set", required=True, help="folder of an artifact questions/1")
    parser.add_argument("--base-model", required=True, help="hf://, s3://, demo:// or a folder")
    parser.add_argument("--tools-url", default="", help="tools service; asked only where it is needed")
    parser.add_argument("--settings", default="", help='JSON object, such as \'{"preset": "demo"}\'')
    parser.add_argument("--overrides", default="{}", help="JSON object over the settings")
    parser.add_argument("--adapter", default="", help="folder of an artifact adapter/1")
    parser.add_argument("--method", default="", help="ways of training, as the pipeline has them")
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument("--checkpoint-root", default="", help="s3:// prefix or folder for finished trees")
    parser.add_argument(
        "--output", required=True, type=Path, help="folder for pairs/, trees/ and report.html"
    )
    given = parser.parse_args(arguments)
    metrics = dsl.Metrics(uri="metrics")
    try:
        run(
            dsl.Dataset(uri=given.question_set),
            given.base_model,
            given.tools_url,
            given.settings,
            given.artifact_store,
            given.checkpoint_root,
            dsl.Dataset(uri=str(given.output / "pairs")),
            dsl.Dataset(uri=str(given.output / "trees")),
            metrics,
            dsl.HTML(uri=str(given.output / "report.html")),
            dsl.Model(uri=given.adapter) if given.adapter else None,
            given.overrides,
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
