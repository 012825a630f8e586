"""A model by itself: judging it, having the official `bfcl` judge it, serving it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


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
    from pipelines.evaluate.run import evaluate as judge
    from pipelines.evaluate.run import read_request

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
    from pipelines.evaluate.bfcl_handler import write_bfcl_handler

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
