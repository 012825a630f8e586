"""Arguments that several commands take."""

from typing import Annotated

import typer

from pipelines.catalog import PIPELINES

PipelineName = Annotated[str, typer.Argument(help=f"Which pipeline: {', '.join(PIPELINES)}.")]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Parameters of the run: questions=FILE, preset=NAME, method=sft,dpo, kind=masked_conversation, "
        "rounds=3, without=ppo, <stage>.<setting>=VALUE, <stage>_settings=JSON ...",
    ),
]
