"""What every storage can do, and the forms of the addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """One stored file: its name relative to the storage's address, and its size in bytes."""

    name: str
    size: int


class Storage(Protocol):
    """Files under one address. Names are relative POSIX paths; "" is not a name.

    Every method raises `InputError`, one line that names the address and what to do, when the storage
    can't be reached, refuses, or has no room.
    """

    uri: str

    def get_file(self, name: str, path: Path) -> None:
        """Copy an object to a local file, which appears whole or not at all; InputError when absent."""
        ...

    def put_file(self, path: Path, name: str) -> None:
        """Copy a local file to an object, which appears whole or not at all."""
        ...

    def exists(self, name: str, *, size: int | None = None) -> bool:
        """Whether there is such an object (of that size, when given)."""
        ...

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects whose name begins with the prefix, in the order of their names."""
        ...

    def delete_prefix(self, prefix: str) -> int:
        """Remove all objects under the folder `prefix`; returns how many."""
        ...

    def upload_folder(self, folder: Path, prefix: str = "") -> int:
        """Copy a folder's files to objects under `prefix`; returns how many."""
        ...

    def download_folder(self, prefix: str, folder: Path) -> int:
        """Copy all objects under the folder `prefix` to local files; returns how many."""
        ...
