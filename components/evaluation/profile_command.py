"""`python -m components.evaluation profile`: where the calls of an evaluation go wrong, as a page."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.pages import write_page
from components.contracts.records import Trace
from components.contracts.stage_command import OneLineParser, exit_code
from components.evaluation.profile import name_tokens, profile_traces
from components.evaluation.report import render_profile
from components.storage import open_input


def write_profile(arguments: Sequence[str]) -> int:
    """Write the profile of an evaluation's calls as a page; 2 when an input can't be used."""
    parser = OneLineParser(prog="python -m components.evaluation profile")
    parser.add_argument("--evaluation", required=True, help="folder of an artifact evaluation/1")
    parser.add_argument("--out", required=True, type=Path, help="the HTML file to write")
    parser.add_argument("--tokenizer", default="", help="a model URI; by default that of the policy")
    parser.add_argument("--artifact-store", default="", help="where the artifact's payload may lie")
    given = parser.parse_args(arguments)
    return exit_code(lambda: _write(given))


def _write(given: argparse.Namespace) -> None:
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
