"""A run on a cluster: what it would cost, and submitting it."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from components.contracts.errors import InputError
from pipelines.commands.words import PipelineName, Words
from pipelines.compile import package_path


def submit(
    pipeline: PipelineName,
    words: Words = None,
    host: Annotated[
        str, typer.Option(envvar=["KFP_ENDPOINT", "KF_PIPELINES_ENDPOINT"], help="Address of the KFP API.")
    ] = "http://127.0.0.1:8888",
    namespace: Annotated[str, typer.Option(envvar="KFP_NAMESPACE", help="Namespace of the run.")] = "",
    token: Annotated[
        str, typer.Option(envvar="KFP_EXISTING_TOKEN", help="Bearer token; better in the variable.")
    ] = "",
    token_file: Annotated[
        str,
        typer.Option(envvar="KF_PIPELINES_SA_TOKEN_PATH", help="File with the token, read anew each time."),
    ] = "",
    experiment: Annotated[str, typer.Option(help="Experiment to file the run under.")] = "whetstone",
    run_name: Annotated[str, typer.Option(help="Name of the run; made from the time when empty.")] = "",
    version: Annotated[
        str, typer.Option(help="Upload as this version of the pipeline, unless it is there, and run that.")
    ] = "",
    wait: Annotated[bool, typer.Option(help="Wait for the end; exit non-zero unless it succeeds.")] = True,
    dry_run: Annotated[
        bool, typer.Option(help="Only show the pods that it would have; asks no API.")
    ] = False,
    poll_seconds: Annotated[float, typer.Option(help="How often to ask.", min=0.05)] = 10.0,
    timeout_seconds: Annotated[float, typer.Option(help="How long to wait.")] = 7 * 86400.0,
) -> None:
    """Submit a pipeline to Kubeflow Pipelines: its committed YAML, or with rounds=K or without=PARTS one made so.

    Exit codes: 0 the run succeeded, 1 it did not or was not accepted, 124 it goes on after --timeout-seconds,
    130 or 143 it goes on after Ctrl-C or SIGTERM.
    """
    from pipelines.arguments import parse_arguments
    from pipelines.submit.api import KubeflowApi
    from pipelines.submit.connection import Endpoint
    from pipelines.submit.parameters import told_parameters
    from pipelines.submit.submission import Submission, run_link, task_names
    from pipelines.submit.submission import submit as create_run
    from pipelines.submit.submission import wait as wait_for

    arguments = parse_arguments(pipeline, words or [])
    if arguments.corpus:
        raise InputError(
            "corpus: only `whetstone run` takes it; on a cluster, name the tools service: tools_url="
        )
    if not arguments.parameters.get("questions"):
        raise InputError("questions: missing; expected questions=URI")
    for source in str(arguments.parameters["questions"]).split(","):
        if "://" not in source and Path(source.strip()).exists():
            raise InputError(
                f"questions: {source.strip()} lies on this machine, where no pod can read it; expected s3://bucket/path"
            )
    told = told_parameters(arguments)
    with tempfile.TemporaryDirectory() as folder:
        package = package_path(
            arguments.pipeline, arguments.rounds, Path(folder), without=arguments.without, also=arguments.also
        )
        if dry_run:
            from pipelines.submit.dry_run import dry_run as shown

            for line in shown(arguments, told, package, Endpoint(host, namespace), experiment, run_name):
                typer.echo(line)
            return
        api = KubeflowApi(Endpoint(host, namespace, token, token_file))
        run_id = create_run(api, Submission(package, told, experiment, run_name, version))
        tasks = task_names(package)
    typer.echo(f"run {run_id}")
    typer.echo(run_link(api.endpoint, run_id))
    if wait:
        wait_for(
            api,
            run_id,
            tasks,
            show=typer.echo,
            warn=lambda line: typer.echo(line, err=True),
            every_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
        )


def plan(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE",
            help="base=llama-3.1-8b questions=10000, then trajectories=, held_out=, accelerator=h100, accelerators=8 (in all), pipeline=, "
            "run=runs/latest (its measured tokens), measured.turn=80, and whatever `whetstone run` takes.",
        ),
    ],
) -> None:
    """Say what a run would cost: accelerator hours, memory, disk and traffic of each task, and what breaks first.

    For example: whetstone plan base=llama-3.1-8b questions=10000 preset=self-training ingest.shards=8
    """
    from pipelines.plan.planned import make_plan
    from pipelines.plan.report import render
    from pipelines.plan.request import read_request

    typer.echo(render(make_plan(read_request(words))))
