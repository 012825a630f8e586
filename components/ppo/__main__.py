"""`python -m components.ppo`: the stage from a shell, on artifact folders."""

import argparse
import json
import sys
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used or training ran into a number that is not finite."""
    parser = argparse.ArgumentParser(
        prog="python -m components.ppo",
        description="Improve the policy by PPO on a reward for the errors of its tool calls.",
    )
    parser.add_argument("--labeled", required=True, help="folder of an artifact labeled_traces/1")
    parser.add_argument("--base-model", required=True, help="hf://, s3://, demo:// or a folder")
    parser.add_argument("--initial", default="", help="folder of an artifact adapter/1 to begin with")
    parser.add_argument("--settings", default="", help='JSON object, such as \'{"preset": "demo_calls"}\'')
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument(
        "--checkpoint-root", default="", help="s3:// prefix or folder; empty keeps no checkpoints"
    )
    parser.add_argument("--adapter", required=True, type=Path, help="folder for the artifact adapter/1")
    parser.add_argument(
        "--report", type=Path, help="HTML file; when not given, the adapter's folder with .html"
    )
    parser.add_argument("--metrics", type=Path, help="JSON file for the metrics, which are printed otherwise")
    given = parser.parse_args(arguments)
    # Late, so that --help and a wrong option are answered at once.
    from components.policy.finite import NonFiniteError
    from components.ppo.run import run

    metrics = dsl.Metrics(uri="metrics")
    try:
        run(
            dsl.Dataset(uri=given.labeled),
            given.base_model,
            given.settings,
            given.artifact_store,
            given.checkpoint_root,
            dsl.Model(uri=str(given.adapter)),
            metrics,
            dsl.HTML(uri=str(given.report or given.adapter.with_name(f"{given.adapter.name}.html"))),
            dsl.Model(uri=given.initial) if given.initial else None,
        )
    except (InputError, NonFiniteError) as error:
        print(error, file=sys.stderr)
        if given.metrics:
            given.metrics.write_text(json.dumps({"error": str(error), "kind": type(error).__name__}))
        return 2
    if given.metrics and metrics.metadata:  # empty in all processes but the first
        given.metrics.write_text(json.dumps(metrics.metadata))
    for name, value in metrics.metadata.items() if not given.metrics else ():
        print(f"{name}\t{value:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
