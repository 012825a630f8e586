"""Where built and downloaded things are kept, and models by URI."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.contracts.errors import InputError
from tools_service import object_store


def cache_folder() -> Path:
    """WHETSTONE_CACHE, or ~/.cache/whetstone."""
    return Path(os.environ.get("WHETSTONE_CACHE") or Path.home() / ".cache" / "whetstone")


def download_place(uri: str) -> Path:
    """The folder in the cache that belongs to a URI."""
    return cache_folder() / "downloads" / hashlib.sha256(uri.encode()).hexdigest()[:32]


@contextmanager
def local_corpus(uri: str) -> Iterator[Path]:
    """The corpus as a file here; one at s3:// is downloaded each time, as it may have changed.

    Raises:
        InputError: the object store can't be used, or has nothing there.
    """
    if not object_store.is_remote(uri):
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="whetstone-corpus-") as temporary:
        yield object_store.download_file(uri, Path(temporary))


def find_model(uri: str, what: str) -> str:
    """What transformers loads for a URI: hf://name, s3://prefix (downloaded once) or a folder.

    Raises:
        InputError: no such folder, or the object store can't be used; `what` names the setting.
    """
    if uri.startswith("hf://"):
        return uri.removeprefix("hf://")
    if object_store.is_remote(uri):
        return str(object_store.download_folder(uri, download_place(uri)))
    if not Path(uri).is_dir():
        raise InputError(f"{what} {uri}: no such folder; expected a folder, hf://name or s3://prefix")
    return uri
