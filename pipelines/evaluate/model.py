"""What `whetstone evaluate` judges: a model's URI, an adapter, or a server that speaks OpenAI's protocol."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import JsonValue

from components.contracts.artifacts import MANIFEST, read_manifest, write_artifact
from components.contracts.errors import InputError
from components.contracts.policy_card import CARD_FILE, read_card

SCHEMA = "adapter/1"
PEFT_CONFIG, MODEL_CONFIG = "adapter_config.json", "config.json"
SERVERS = ("http://", "https://")
KEY = "OPENAI_API_KEY"  # where the engine looks for a server's key


@dataclass(frozen=True)
class EvaluatedModel:
    """A policy as the evaluation stage wants it.

    engine: settings of the engine that this model needs. environment: variables beside our own, the key of a server.
    """

    name: str
    base_model: str
    adapter: Path | None = None
    engine: Mapping[str, JsonValue] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def read_model(
    text: str,
    scratch: Path,
    *,
    call_format: str = "",
    server_model: str = "",
    key_variable: str = "",
    trained_as: str = "",
    prefix: str = "",
) -> EvaluatedModel:
    """The model that the user names by `text`.

    scratch: folder for an `adapter/1` made of an adapter's folder that is none. call_format: in place of the one that
    the adapter was trained with; a server that is given none gets the tools as `tools`. server_model: the server's
    name for the model. key_variable: environment variable with the server's key; OPENAI_API_KEY when empty.
    trained_as: what a server serves, as a folder or URI on this side: prompts are then written by its chat template,
    calls read in its format, and the server gets and gives token ids. prefix: of the options in messages, `against-` for
    the model to compare with.

    Raises:
        InputError: nothing there, an adapter without its base model, a variable that is not set, or as `check_url`.
    """
    engine: dict[str, JsonValue] = {"call_format": call_format} if call_format else {}
    named = f"--{prefix[:-1]}" if prefix else "MODEL"
    if text.startswith(SERVERS):
        check_url(named, text)
        engine |= {"kind": "openai", "url": text, "server_model": server_model}
        if trained_as:
            if trained_as.startswith(SERVERS):
                raise InputError(
                    f"--{prefix}trained-as: expected a folder or URI of the model that the server serves"
                )
            known = read_model(trained_as, scratch, call_format=call_format)
            engine |= dict(known.engine) | {"server_tokens": True}
            secret = _key(key_variable, prefix)
            return EvaluatedModel(server_model or text, known.base_model, None, engine, secret)
        engine |= {} if call_format else {"server_tools": True}
        return EvaluatedModel(server_model or text, text, None, engine, _key(key_variable, prefix))
    for option, given in (
        ("model-name", server_model),
        ("api-key-variable", key_variable),
        ("trained-as", trained_as),
    ):
        if given:
            raise InputError(
                f"--{prefix}{option}: only for a server, expected {named} as http(s)://host/v1, got {text!r}"
            )
    if "://" in text:
        return EvaluatedModel(text, text, None, engine)
    folder = Path(text).expanduser().resolve()
    if not folder.is_dir():
        raise InputError(
            f"{named}: {text}: no such folder; expected hf://, s3://, demo://, http(s)://host/v1 or a folder"
        )
    if _is_adapter(folder):
        return _adapter(folder, text, scratch, engine)
    if not (folder / MODEL_CONFIG).is_file():
        raise InputError(
            f"{named}: {text}: holds neither {MODEL_CONFIG} of a model nor {CARD_FILE} of an adapter"
        )
    return EvaluatedModel(folder.name, str(folder), None, engine)


def asked_alike(models: Mapping[str, EvaluatedModel]) -> dict[str, EvaluatedModel]:
    """The same models; a base model beside an adapter of it gets that one's call format.

    So their prompts are the same, and the difference is the policy's.
    """
    formats = {model.engine["call_format"] for model in models.values() if "call_format" in model.engine}
    if len({model.base_model for model in models.values()}) > 1 or len(formats) != 1:
        return dict(models)
    one = {"call_format": formats.pop()}
    return {task: replace(model, engine={**model.engine, **one}) for task, model in models.items()}


def check_url(option: str, url: str) -> None:
    """Refuse an address that names no host, or one with a secret, which would stand in files and reports.

    Raises:
        InputError: says so, without a secret.
    """
    if "@" in url or "?" in url:
        raise InputError(
            f"{option}: the address holds a password or a query; expected neither, and a key in an environment variable"
        )
    try:
        parts = urlsplit(url)
        usable = f"{parts.scheme}://" in SERVERS and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port
        usable = False
    if not usable:
        raise InputError(f"{option}: expected http(s)://host:port, got {url!r}")


def _key(variable: str, prefix: str) -> dict[str, str]:
    if not variable:
        return {}
    if not os.environ.get(variable):
        raise InputError(
            f"--{prefix}api-key-variable: {variable} is not set, expected it to hold the server's key"
        )
    return {KEY: os.environ[variable]}


def _is_adapter(folder: Path) -> bool:
    if (folder / MANIFEST).is_file():
        return read_manifest(folder).schema_tag == SCHEMA
    return (folder / CARD_FILE).is_file() or (folder / PEFT_CONFIG).is_file()


def _adapter(folder: Path, text: str, scratch: Path, engine: dict[str, JsonValue]) -> EvaluatedModel:
    """Of an artifact, or of a plain folder that peft wrote, with or without our card."""
    is_artifact = (folder / MANIFEST).is_file()
    if is_artifact and (payload := read_manifest(folder).payload):
        raise InputError(
            f"MODEL: {text}: its files lie in {payload}; expected them in the folder, as a published adapter has them"
        )
    if (folder / CARD_FILE).is_file():
        card = read_card(folder)
        base_model = card.base_model
        if card.call_format:
            engine.setdefault("call_format", card.call_format)
    else:
        base_model = _peft_base(folder / PEFT_CONFIG)
    if not is_artifact:
        with write_artifact(scratch, SCHEMA) as writer:
            for path in sorted(folder.iterdir()):
                if path.is_file():
                    shutil.copyfile(path, writer.folder / path.name)
        folder = scratch
    return EvaluatedModel(Path(text).name, base_model, folder, engine)


def _peft_base(path: Path) -> str:
    """The base model that peft noted, as a URI."""
    try:
        name = json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"MODEL: {path}: can't be read: {error}") from error
    if not isinstance(name, str) or not name:
        raise InputError(f"MODEL: {path}: base_model_name_or_path is missing, expected the base model's name")
    return name if "://" in name or Path(name).is_dir() else f"hf://{name}"
