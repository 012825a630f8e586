"""The command line: `whetstone compile | run | evaluate | bfcl-handler | serving | plan | submit | report`."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from components.contracts.errors import InputError
from pipelines.catalog import PIPELINES
from pipelines.compile import check_committed, compiled_path, package_path, write_compiled, write_package
from pipelines.local.processes import Interrupted

app = typer.Typer(
    help="Teaches a language model to use tools by its own practice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

PipelineName = Annotated[str, typer.Argument(help=f"Which pipeline: {', '.join(PIPELINES)}.")]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Parameters of the run: questions=FILE, preset=NAME, method=sft,dpo, kind=masked_conversation, "
        "rounds=3, without=ppo, <stage>.<setting>=VALUE, <stage>_settings=JSON ...",
    ),
]


@app.command("compile")
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


@app.command()
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


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="hf://, s3://, demo:// or a folder with a model; the folder of an adapter; http(s)://host/v1."
        ),
    ],
    suite: Annotated[
        list[str] | None,
        typer.Option(
            help="A benchmark, such as bfcl:simple_python, api_bank or rotbench:clean; may be repeated."
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="FAMILY=URI", help="Where a benchmark's files are; bfcl's are fetched."),
    ] = None,
    questions: Annotated[str, typer.Option(help="Questions of one's own: files, comma separated.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Questions of each suite; 0 takes all.")] = 0,
    call_format: Annotated[
        str, typer.Option(help="How the model writes calls; by default as the adapter was trained.")
    ] = "",
    preset: Annotated[str, typer.Option(help="Preset of the evaluation's settings.")] = "",
    settings: Annotated[str, typer.Option(help="JSON of the evaluation's settings, over the preset.")] = "",
    against: Annotated[str, typer.Option(help="A second model, to compare with on the same questions.")] = "",
    model_name: Annotated[str, typer.Option(help="The server's name for the model.")] = "",
    trained_as: Annotated[
        str,
        typer.Option(
            help="What the server serves, as a folder or URI here: its chat template and call format are used, "
            "with token ids (vLLM)."
        ),
    ] = "",
    api_key_variable: Annotated[
        str, typer.Option(help="Environment variable with the server's key; OPENAI_API_KEY by default.")
    ] = "",
    against_model_name: Annotated[
        str, typer.Option(help="As --model-name, for --against; so the next two.")
    ] = "",
    against_trained_as: Annotated[str, typer.Option(help="As --trained-as.")] = "",
    against_api_key_variable: Annotated[str, typer.Option(help="As --api-key-variable.")] = "",
    tools_url: Annotated[
        str, typer.Option(help="A tools service; by default one is started if needed.")
    ] = "",
    corpus: Annotated[str, typer.Option(help="Passages that the started tools service searches.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; named again, a stopped evaluation goes on.")
    ] = None,
) -> None:
    """Judge a model by benchmarks or one's own questions, here and without a pipeline.

    For example: whetstone evaluate demo://smollm2-135m-instruct --suite bfcl:simple_python --limit 100
    """
    from pipelines.evaluate import evaluate as judge
    from pipelines.evaluate import read_request

    request = read_request(
        model,
        suites=suite or [],
        data=data or [],
        questions=questions,
        limit=limit,
        call_format=call_format,
        preset=preset,
        settings=settings,
        against=against,
        model_name=model_name,
        trained_as=trained_as,
        against_model_name=against_model_name,
        against_trained_as=against_trained_as,
        tools_url=tools_url,
        corpus=corpus,
    )
    judge(
        request, out, api_key_variable, Console(markup=False), against_key_variable=against_api_key_variable
    )


@app.command("bfcl-handler")
def bfcl_handler_command(
    model: Annotated[
        str, typer.Argument(help="The folder of an adapter or a model, its URI, or http(s)://host/v1.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; empty, or one that was written before.")],
    url: Annotated[str, typer.Option(help="Where the model will be served.", show_default="vLLM's")] = "",
    model_name: Annotated[str, typer.Option(help="The server's name for the model.")] = "",
    call_format: Annotated[
        str, typer.Option(help="How the model writes calls; by default as the adapter was trained.")
    ] = "",
    preset: Annotated[str, typer.Option(help="Preset of the evaluation's settings.")] = "",
    settings: Annotated[str, typer.Option(help="JSON of the evaluation's settings, over the preset.")] = "",
) -> None:
    """Write a handler with which the official `bfcl` command runs a model, and a guide beside it.

    For example: whetstone bfcl-handler runs/latest/adapter --out my-model-bfcl
    """
    from pipelines.bfcl_handler import write_bfcl_handler

    served = write_bfcl_handler(
        model,
        out,
        url=url,
        model_name=model_name,
        call_format=call_format,
        preset=preset,
        settings=settings,
    )
    typer.echo(f"{served.name}: {out / 'README.md'}")


@app.command()
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


@app.command()
def serving(
    adapter: Annotated[
        str, typer.Argument(help="s3:// where promotion published it, or its folder here (with --uri).")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the manifests; empty, or one written before.")],
    uri: Annotated[
        str, typer.Option(help="s3:// where the cluster finds the adapter, if it is a folder.")
    ] = "",
    base_model: Annotated[
        str, typer.Option(help="hf:// or s3:// of the base model, if it was trained on neither.")
    ] = "",
    name: Annotated[
        str, typer.Option(help="Of the service, and of the model in requests.")
    ] = "whetstone-policy",
) -> None:
    """Write what serves an adapter on a cluster: a KServe InferenceService with vLLM, for `kubectl apply -k`.

    For example: whetstone serving s3://bucket/published/0123456789abcdef --out serving
    """
    from pipelines.serving.folder import write_serving

    written = write_serving(adapter, out, uri=uri, base_model=base_model, name=name)
    typer.echo(f"{written.name}: {out / 'README.md'}")


@app.command()
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


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")] = Path("runs/latest"),
) -> None:
    """Print the results of a run and where its report lies."""
    from pipelines.local.results import print_results

    print_results(Console(markup=False), folder)


def main() -> None:
    """The `whetstone` command: errors in one line on stderr, and a non-zero exit."""
    from pipelines.local.run import StageFailure
    from pipelines.submit.submission import NotWaited

    try:
        app()
    except InputError as error:
        sys.exit(_complain(str(error)))
    except StageFailure as failure:
        report = f"\nreport: {failure.report}" if failure.report else ""
        sys.exit(_complain(f"{failure}{report}\nlog: {failure.log}"))
    except NotWaited as stopped:
        _complain(str(stopped))
        sys.exit(stopped.exit_code)
    except KeyboardInterrupt:
        _complain("stopped by SIGINT before anything was started")
        sys.exit(130)
    except Interrupted as interrupted:
        _complain(f"stopped by {interrupted}; everything that was started is stopped")
        sys.exit(128 + interrupted.signal)


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
