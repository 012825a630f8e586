"""From a base model's URI to a folder with its files on this machine."""

import hashlib
import os
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from components.contracts.errors import InputError
from components.policy.demo_model import demo_model
from components.storage.cache import build_once

ALLOWED_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
TOKENIZER_FILES = ("*.json", "*.jinja", "*.model", "*.txt")
PICKLED_WEIGHTS = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")


def resolve_base_model(uri: str) -> Path:
    """The local folder of `uri`: hf://org/name[@revision], s3://bucket/prefix, demo://name or a folder.

    What is fetched is kept in the cache; an s3 prefix is taken as immutable.

    Raises:
        InputError: unknown scheme, nothing there, or a fetch that failed.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        folder = Path(uri)
        if not folder.is_dir():
            raise InputError(f"base_model: no folder {uri!r}; expected a folder or hf://, s3://, demo://")
        if not os.access(folder, os.R_OK | os.X_OK):
            raise InputError(f"base_model: {uri!r} can't be read by user {os.getuid()}, as whom this runs")
        return folder
    match scheme:
        case "demo":
            return demo_model(uri)
        case "hf":
            return _from_hub(uri, rest)
        case "s3":
            return _from_store(uri)
        case "file":
            return resolve_base_model(rest)
    raise InputError(
        f"base_model: unknown scheme {scheme!r} in {uri!r}; expected hf://, s3://, demo:// or a folder"
    )


def resolve_tokenizer(uri: str) -> Path:
    """The local folder with what belongs to the tokenizer of `uri`, without fetching the model's weights.

    Raises:
        InputError: as `resolve_base_model`.
    """
    scheme, _, rest = uri.partition("://")
    if scheme == "hf":
        return _from_hub(uri, rest, TOKENIZER_FILES)
    if scheme == "s3":
        name = f"tokenizers/s3-{hashlib.sha256(uri.encode()).hexdigest()[:16]}"
        return build_once(name, lambda folder: fetch_tokenizer_files(uri, folder))
    return resolve_base_model(uri)


def fetch_tokenizer_files(uri: str, folder: Path) -> None:
    """Copy the tokenizer's and the configuration's files at an address of the storage into `folder`.

    Raises:
        InputError: nothing there, or the storage can't be read.
    """
    from components.storage import open_storage

    storage = open_storage(uri)
    names = [one.name for one in storage.list() if "/" not in one.name]
    chosen = [name for name in names if any(fnmatch(name, pattern) for pattern in TOKENIZER_FILES)]
    if not chosen:
        raise InputError(
            f"{uri}: no {', '.join(TOKENIZER_FILES)} there; expected a model's or an adapter's folder"
        )
    for name in chosen:
        storage.get_file(name, folder / name)


def _from_hub(uri: str, name: str, files: Sequence[str] = ALLOWED_FILES) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    try:
        # Only data is asked for: no Python files, no pickled weights.
        found = snapshot_download(repository, revision=revision or None, allow_patterns=list(files))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"base_model: can't fetch {uri!r}: {reason}") from error
    return Path(found)


def _from_store(uri: str) -> Path:
    from components.storage import open_storage

    def build(folder: Path) -> None:
        if not open_storage(uri).download_folder("", folder):
            raise InputError(f"base_model: nothing lies under {uri}")
        check_weights(folder, uri)

    return build_once(f"models/s3-{hashlib.sha256(uri.encode()).hexdigest()[:16]}", build)


def check_weights(folder: Path, name: str) -> None:
    """Refuse a model folder whose weights are not safetensors or which needs code of its own.

    Raises:
        InputError: no config.json, no *.safetensors, or `auto_map` without a built-in model type.
    """
    config = folder / "config.json"
    if not config.is_file():
        raise InputError(f"base_model: {name!r} has no config.json; expected a Hugging Face model folder")
    if any(folder.glob("*.safetensors")):
        return
    pickled = sorted(path.name for pattern in PICKLED_WEIGHTS for path in folder.glob(pattern))
    if pickled:
        raise InputError(
            f"base_model: {name!r} has pickled weights ({pickled[0]}); only safetensors are loaded"
        )
    raise InputError(f"base_model: {name!r} has no *.safetensors file")
