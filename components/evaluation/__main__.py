"""`python -m components.evaluation`: the stage from a shell, on artifact folders.

`python -m components.evaluation profile`: where the calls of an evaluation go wrong, as a page.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kfp import dsl

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.pages import write_page
from components.contracts.records import Trace
from components.evaluation.profile import name_tokens, profile_traces
from components.evaluation.report import render_profile
from components.evaluation.run import run
from components.storage import open_input


def main(arguments: list[str] | None = None) -> int:
    """Run the stage, or its command `profile`; 2 when an input can't be used."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["profile"]:
        return write_profile(words[1:])
    parser = argparse.ArgumentParser(prog="python -m components.evaluation", description=run.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--question-set", required=True, help="folder of an artifact questions/1")
    parser.add_argument("--base-model", required=True, help="hf://, s3://, demo:// or a folder")
    parser.add_argument("--tools-url", default="", help="address of the tools service")
    parser.add_argument("--settings", default="", help='JSON object, such as \'{"preset": "demo"}\'')
    parser.add_argument(
        "--artifact-store", default="", help="s3:// prefix or folder; empty keeps payloads here"
    )
    parser.add_argument("--adapter", default="", help="folder of an artifact adapter/1")
    parser.add_argument("--output", required=True, type=Path, help="folder for evaluation/ and report.html")
    parser.add_argument("--title", default="", help="what reports call this policy")
    parser.add_argument("--split", default="", help="held_out, validation or train; the settings' by default")
    parser.add_argument("--without-tools", action="store_true", help="offer no tools to any question")
    parser.add_argument(
        "--earlier", default="", help="folder of an evaluation/1 to hand on if it judged the same"
    )
    parser.add_argument("--overrides", default="{}", help="JSON object merged over the settings")
    given = parser.parse_args(words)
    metrics = dsl.Metrics(uri=str(given.output / "metrics"))
    try:
        run(
            dsl.Dataset(uri=given.question_set),
            given.base_model,
            given.tools_url,
            given.settings,
            given.artifact_store,
            dsl.Dataset(uri=str(given.output / "evaluation")),
            metrics,
            dsl.HTML(uri=str(given.output / "report.html")),
            dsl.Model(uri=given.adapter) if given.adapter else None,
            given.title,
            given.split,
            given.without_tools,
            dsl.Dataset(uri=given.earlier) if given.earlier else None,
            given.overrides,
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for name, value in metrics.metadata.items():
        print(f"{name}\t{value:.4f}")
    return 0


def write_profile(arguments: Sequence[str]) -> int:
    """Write the profile of an evaluation's calls as a page; 2 when an input can't be used."""
    parser = argparse.ArgumentParser(prog="python -m components.evaluation profile")
    parser.add_argument("--evaluation", required=True, help="folder of an artifact evaluation/1")
    parser.add_argument("--out", required=True, type=Path, help="the HTML file to write")
    parser.add_argument("--tokenizer", default="", help="a model URI; by default that of the policy")
    parser.add_argument("--artifact-store", default="", help="where the artifact's payload may lie")
    given = parser.parse_args(arguments)
    try:
        opened = open_input(given.evaluation, "evaluation/1", given.artifact_store)
        details = opened.manifest.details
        model = given.tokenizer or str(details.get("base_model", ""))
        traces = read_records(opened.path("traces.jsonl"), Trace)
        made_with = details.get("settings")
        official = isinstance(made_with, dict) and made_with.get("scorer") == "official"
        tokens, tokenizer = name_tokens(model, required=bool(given.tokenizer))
        profile = profile_traces(traces, tokens, tokenizer, official=official)
        if not profile["turns"]:
            raise InputError("evaluation: none of its questions has gold calls to compare with")
        write_page(str(given.out), render_profile(str(details.get("title", model)), profile))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
