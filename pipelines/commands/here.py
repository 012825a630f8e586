"""Compiling, running on this machine, and reading what came out."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from components.contracts.errors import InputError
from pipelines.catalog import PIPELINES
from pipelines.commands.words import PipelineName, Words
from pipelines.compile import check_committed, compiled_path, write_compiled, write_package


def compile_command(
    pipeline: Annotated[str, typer.Argument(help="Only this pipeline.", show_default="all")] = "",
    check: Annotated[bool, typer.Option("--check", help="Only compare with the committed files.")] = False,
    rounds: Annotated[str, typer.Option(help="Unroll so many rounds; needs --out.")] = "",
    without: Annotated[
        str, typer.Option(help="Parts to leave out, comma separated, such as ppo; needs --out.")
    ] = "",
    also: Annotated[
        str, typer.Option("--with", help="Parts on demand, such as regression; needs --out.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of pipelines/compiled.")
    ] = None,
) -> None:
    """Compile every pipeline into pipelines/compiled, or check that nothing differs.

    For a cluster: whetstone compile self_training_rounds --rounds 5 --out rounds.yaml
    or: whetstone compile whetstone --without ppo --out without-ppo.yaml
    """
    from pipelines.arguments import in_rounds, on_demand_of, parts_of

    if out is not None:
        if not pipeline or check:
            raise InputError("--out: expected the name of one pipeline, and no --check")
        name, number = in_rounds(pipeline, rounds or None)
        left_out, more = parts_of(name, without), on_demand_of(name, also)
        typer.echo(f"{name}: {write_package(name, number, out, without=left_out, also=more)}")
        return
    if rounds:
        raise InputError("--rounds: expected --out FILE too; the committed file keeps its own number")
    if without:
        raise InputError("--without: expected --out FILE too; the committed file has all parts")
    if also:
        raise InputError("--with: expected --out FILE too; the committed file has nothing that is on demand")
    if pipeline:
        compiled_path(pipeline)
    for one in [pipeline] if pipeline else PIPELINES:
        if check:
            check_committed(one)
            typer.echo(f"{one}: as committed")
        else:
            typer.echo(f"{one}: {write_compiled(one)}")


def run(
    pipeline: PipelineName,
    words: Words = None,
    runs: Annotated[Path, typer.Option(help="Folder that gets one folder a run, and `latest`.")] = Path(
        "runs"
    ),
    from_stage: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="STAGE",
            help="Begin with this stage; take what comes before from an earlier run.",
        ),
    ] = "",
    of: Annotated[
        Path | None,
        typer.Option(help="The earlier run's folder.", show_default="the newest that has what is needed"),
    ] = None,
) -> None:
    """Run a pipeline here: object store and tools service are started, used and stopped.

    Besides the pipeline's parameters it takes preset=NAME (demo, self-training, tl-training, itool) and
    corpus=FILE, the passages that the local tools service searches.

    self_training takes method= (sft, dpo or sft,dpo), kind= (what DPO's pairs hold: response, conversation
    or masked_conversation) and rounds=K: practise, learn and be judged K times over, and prove the best. itool and whetstone take rounds=N, the number
    of iterations, and without=PARTS: what is left out (of whetstone sft, ppo, mcts,dpo; of itool control).
    """
    from pipelines.arguments import parse_arguments
    from pipelines.local.results import print_results
    from pipelines.local.run import run_locally

    console = Console(markup=False)
    if of is not None and not from_stage:
        raise InputError("--of: expected --from STAGE too: where to begin with what that run has")
    arguments = parse_arguments(pipeline, words or [])
    folder = run_locally(arguments, runs, console, stage=from_stage, earlier=of)
    print_results(console, folder)


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")] = Path("runs/latest"),
) -> None:
    """Print the results of a run and where its report lies."""
    from pipelines.local.results import print_results

    print_results(Console(markup=False), folder)
