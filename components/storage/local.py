"""Storage in a local folder, with the same promises as an object store: objects appear whole."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from components.contracts.errors import InputError
from components.contracts.jsonl import write_errors
from components.storage.base import StoredObject
from components.storage.names import inside, join

PARTIAL = ".partial-"


class LocalStorage:
    """Files under one local folder, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = str(folder)

    def get_file(self, name: str, path: Path) -> None:
        source = inside(self.folder, name)
        if not source.is_file():
            raise InputError(f"{source}: no such file")
        _copy(source, path)

    def put_file(self, path: Path, name: str) -> None:
        _copy(path, inside(self.folder, name))

    def exists(self, name: str, *, size: int | None = None) -> bool:
        path = inside(self.folder, name)
        return path.is_file() and (size is None or path.stat().st_size == size)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        # As in an object store, a prefix may end within a name; only its folder can hold matches.
        start = self.folder / prefix if prefix.endswith("/") or not prefix else (self.folder / prefix).parent
        for path in sorted(start.rglob("*"), key=lambda one: one.as_posix()):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and name.startswith(prefix) and not path.name.startswith(PARTIAL):
                yield StoredObject(name, path.stat().st_size)

    def delete_prefix(self, prefix: str) -> int:
        names = [one.name for one in self.list(join(prefix) + "/" if prefix else "")]
        for name in names:
            inside(self.folder, name).unlink(missing_ok=True)
        folder = inside(self.folder, prefix) if prefix else self.folder
        shutil.rmtree(folder, ignore_errors=True)
        return len(names)

    def upload_folder(self, folder: Path, prefix: str = "") -> int:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in files:
            self.put_file(path, join(prefix, path.relative_to(folder).as_posix()))
        return len(files)

    def download_folder(self, prefix: str, folder: Path) -> int:
        start = join(prefix) + "/" if prefix else ""
        names = [one.name for one in self.list(start)]
        for name in names:
            self.get_file(name, inside(folder, name.removeprefix(start)))
        return len(names)


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(f"{PARTIAL}{uuid.uuid4().hex}")
    with write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, partial)
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
