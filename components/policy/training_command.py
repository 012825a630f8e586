"""The command line that the stages which train share, and how their processes tell each other what came out."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError
from components.policy.finite import NonFiniteError


def training_parser(
    stage: str,
    description: str,
    preset: str,
    *,
    data: tuple[str, str] = ("labeled", "labeled_traces/1"),
    optional: bool = False,
) -> argparse.ArgumentParser:
    """Options of `python -m components.<stage>`. preset: an example for --settings.

    data: the name and schema of what it trains on. optional: the stage has `overrides` and `method`.
    """
    name, schema = data
    parser = argparse.ArgumentParser(prog=f"python -m components.{stage}", description=description)
    parser.add_argument(f"--{name}", dest="data", required=True, help=f"folder of an artifact {schema}")
    parser.add_argument("--base-model", required=True, help="hf://, s3://, demo:// or a folder")
    parser.add_argument("--initial", default="", help="folder of an artifact adapter/1 to go on from")
    parser.add_argument("--settings", default="", help=f'JSON object, such as \'{{"preset": "{preset}"}}\'')
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
    if optional:
        parser.add_argument(
            "--overrides", default="{}", help="JSON object whose keys override those of settings"
        )
        parser.add_argument(
            "--method", default="", help=f"such as sft,dpo: without {stage}, --initial is handed on"
        )
    return parser


def run_training(given: argparse.Namespace, run: Callable[..., None], *more: str) -> int:
    """Run a stage on parsed options; 2 when an input can't be used or a number was not finite.

    run: the stage's, with the face's arguments up to `initial`; `more` follow. With --metrics the outcome
    goes into that file, where `distributed.run_in_processes` reads it.
    """
    metrics = dsl.Metrics(uri="metrics")
    try:
        run(
            dsl.Dataset(uri=given.data),
            given.base_model,
            given.settings,
            given.artifact_store,
            given.checkpoint_root,
            dsl.Model(uri=str(given.adapter)),
            metrics,
            dsl.HTML(uri=str(given.report or given.adapter.with_name(f"{given.adapter.name}.html"))),
            dsl.Model(uri=given.initial) if given.initial else None,
            *more,
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
