"""Where what was fetched and converted is kept between runs."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from components.contracts.errors import InputError

READY_MARK = ".ready"


def cache_folder() -> Path:
    """The folder for things that can be made again: $WHETSTONE_CACHE, else ~/.cache/whetstone."""
    given = os.environ.get("WHETSTONE_CACHE", "")
    return Path(given) if given else Path.home() / ".cache" / "whetstone"


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """The cache's folder `name`, made by `build(folder)` when it isn't there yet.

    Processes that ask at the same time wait for one another. What `build` wrote appears in one
    rename, so a killed build leaves nothing that looks whole.

    Raises:
        InputError: the cache's folder can't be written.
    """
    root = cache_folder()
    folder = root / name
    if (folder / READY_MARK).is_file():
        return folder
    lock = FileLock(str(folder) + ".lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise InputError(
            f"WHETSTONE_CACHE: {root}: {error.strerror}; expected a folder that can be written"
        ) from None
    try:
        if not (folder / READY_MARK).is_file():
            _build(folder, build)
    finally:
        lock.release()
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        build(temporary)
        (temporary / READY_MARK).touch()
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
