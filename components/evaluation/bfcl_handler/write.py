"""Writes the folder: the handler with the files of ours that it needs, the model's card, a runner and a guide."""

import shutil
from pathlib import Path

import jinja2

from components.contracts.errors import InputError
from components.contracts.jsonl import write_errors
from components.evaluation.bfcl_handler.register import WRITTEN_FOR
from components.evaluation.bfcl_handler.served_model import ServedModel
from components.evaluation.bfcl_handler.sources import ROOT, needed_files
from components.evaluation.settings import EvaluationSettings

MODEL, RUNNER, GUIDE, LIBRARY, REQUIREMENTS = (
    "model.json",
    "run_bfcl.py",
    "README.md",
    "lib",
    "requirements.txt",
)
# What bfcl-eval's command imports once the clients of other vendors are left out; pinned where bfcl-eval pins.
IMPORTED = (
    "filelock==3.20.0",
    "jsonschema>=4.20",
    "mpmath==1.3.0",
    "numpy==1.26.4",
    "openai>=1.86.0",
    "overrides",
    "pandas",
    "pydantic>=2.8.2",
    "python-dotenv>=1.0.1",
    "requests",
    "tabulate>=0.9.0",
    "tenacity>=8.5.0",
    "tqdm",
    "tree_sitter==0.21.3",
    "tree-sitter-java==0.21.0",
    "tree-sitter-javascript==0.21.4",
    "typer>=0.12.5",
)


def describe_served(
    name: str,
    *,
    server_model: str,
    url: str,
    base_model: str,
    settings: EvaluationSettings,
    adapter: Path | None = None,
) -> ServedModel:
    """The model as it was trained to be asked: its chat template is looked at where this machine can have it.

    base_model: URI of the model whose template the server uses; empty where only the server knows it. adapter: a
    folder of an adapter that the server adds.

    Raises:
        InputError: the tokenizer can't be loaded, or the adapter was trained under another template or format.
    """
    engine = settings.engine
    common = {
        "name": name,
        "server_model": server_model,
        "url": url,
        "call_format": engine.call_format,
        "variant": settings.variant,
        "max_new_tokens": settings.max_new_tokens,
        "top_p": settings.top_p,
    }
    if not base_model:
        return ServedModel.model_validate(
            common | {"tools_shown": "calls" if engine.server_tools else "text"}
        )
    from components.policy.card import check_adapter
    from components.policy.load import open_chat

    chat = open_chat(base_model, engine.call_format)
    if adapter is not None:
        check_adapter(adapter, chat, base_model)
    native = chat.native_tools and engine.call_format != "paper"
    return ServedModel.model_validate(
        common
        | {
            "tools_shown": "template" if native else "text",
            "system_role": chat.system_role,
            "tool_role": chat.tool_role,
            "base_model": base_model,
            "template_hash": chat.template_hash,
        }
    )


def write_handler(folder: Path, served: ServedModel, *, adapter: bool = False) -> None:
    """Write everything into `folder`. What an earlier call wrote is replaced; results in it are left.

    adapter: the model is an adapter over `served.base_model`, for the guide.

    Raises:
        InputError: the folder holds something else, or can't be written.
    """
    with write_errors(folder):
        _write_files(folder, served, adapter=adapter)


def _write_files(folder: Path, served: ServedModel, *, adapter: bool) -> None:
    if (
        folder.is_dir()
        and any(folder.iterdir())
        and not ((folder / MODEL).is_file() and (folder / RUNNER).is_file())
    ):
        raise InputError(f"--out: {folder} holds files that are no handler of ours; name an empty folder")
    library = folder / LIBRARY
    if library.is_dir():
        shutil.rmtree(library)
    here = __package__ or ""
    for path in needed_files(f"{here}.register"):
        (library / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, library / path)
    (folder / MODEL).write_text(served.model_dump_json(indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(Path(__file__).with_name(RUNNER), folder / RUNNER)
    (folder / REQUIREMENTS).write_text("".join(f"{line}\n" for line in IMPORTED), encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(here), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    text = environment.get_template("README.md.j2").render(
        served=served, version=WRITTEN_FOR, adapter=adapter, base=_local_name(served.base_model)
    )
    (folder / GUIDE).write_text(text, encoding="utf-8")


def _local_name(uri: str) -> str:
    """A base model as a server is told of it."""
    name = uri.removeprefix("hf://")
    return "BASE_MODEL_FOLDER" if "://" in name else name
