"""Artifact folders: written in full, then committed by `manifest.json`, which always comes last.

A folder without a manifest is not an artifact, whatever else lies in it. While one is being written it
holds the marker `.incomplete`, so that a later attempt knows that the leftovers may go.
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.jsonl import write_errors
from components.contracts.manifests import (
    MANIFEST,
    MARKER,
    OWN_FILES,
    FileEntry,
    Manifest,
    fsync_file,
    fsync_folder,
    read_manifest,
    sha256_of_file,
    verify_files,
    write_manifest,
)

__all__ = [
    "MANIFEST",
    "Artifact",
    "ArtifactWriter",
    "FileEntry",
    "Manifest",
    "open_artifact",
    "read_manifest",
    "sha256_of_file",
    "verify_files",
    "write_artifact",
    "write_manifest",
]


@dataclass(frozen=True)
class Artifact:
    """An opened artifact. `folder` holds the files; `digest` names the content."""

    folder: Path
    manifest: Manifest
    digest: str

    def path(self, name: str) -> Path:
        """The path of one of the artifact's files.

        Raises:
            InputError: the artifact has no such file.
        """
        if all(entry.path != name for entry in self.manifest.files):
            has = ", ".join(entry.path for entry in self.manifest.files) or "none"
            raise InputError(f"{self.folder}: {self.manifest.schema_tag} has no file {name!r}; it has: {has}")
        return self.folder / name


@dataclass
class ArtifactWriter:
    """Handed out by `write_artifact`: put files under `folder`, fill in the facts."""

    folder: Path
    schema: str
    counts: dict[str, int] = field(default_factory=dict)
    lineage: dict[str, str] = field(default_factory=dict)
    details: dict[str, JsonValue] = field(default_factory=dict)


@contextmanager
def write_artifact(folder: Path | str, schema: str) -> Iterator[ArtifactWriter]:
    """Write an artifact; it becomes visible, whole, when the block ends without an exception.

    An artifact, or the leftovers of one, that is already in `folder` is replaced.

    Raises:
        InputError: the folder holds other files, or can't be written (disk full ...): nothing is left.
    """
    folder = Path(folder)
    existed = folder.is_dir()
    with write_errors(folder):
        _begin(folder)
    writer = ArtifactWriter(folder, schema)
    try:
        with _disk_full(folder, schema):
            yield writer
            _commit(writer)
    except BaseException:
        _clear(folder, remove=not existed)
        raise


def open_artifact(folder: Path | str, schema: str, *, verify: bool = True) -> Artifact:
    """Open an artifact by the schema tag expected; `verify` also reads and checks every file.

    Raises:
        InputError: no artifact there, another tag (both are named), or a file that is missing,
            truncated or changed (the file is named).
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest.schema_tag != schema:
        raise InputError(f"{folder}: expected an artifact of {schema}, this is one of {manifest.schema_tag}")
    if verify and not manifest.payload:
        verify_files(folder, manifest)
    return Artifact(folder, manifest, manifest.digest())


def _begin(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = {entry.name for entry in folder.iterdir()}
    if names and not names & OWN_FILES:
        raise InputError(f"{folder}: holds files that are no artifact of ours; name an empty folder")
    (folder / MARKER).touch()
    fsync_folder(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    for entry in folder.iterdir():
        if entry.name != MARKER:
            _remove(entry)


def _commit(writer: ArtifactWriter) -> None:
    folder = writer.folder
    files: list[FileEntry] = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise InputError(f"{path}: a link, which an artifact can't hold")
        if path.is_dir():
            fsync_folder(path)
        elif path.relative_to(folder).as_posix() not in OWN_FILES:
            fsync_file(path)
            name = path.relative_to(folder).as_posix()
            files.append(FileEntry(path=name, size=path.stat().st_size, sha256=sha256_of_file(path)))
    manifest = Manifest(
        schema_tag=writer.schema,
        files=tuple(files),
        counts=writer.counts,
        lineage=writer.lineage,
        details=writer.details,
    )
    write_manifest(folder, manifest)
    (folder / MARKER).unlink(missing_ok=True)


@contextmanager
def _disk_full(folder: Path, schema: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise InputError(
            f"{folder}: no room to write the artifact {schema}: {error.strerror}; free some space and run again"
        ) from error


def _clear(folder: Path, *, remove: bool) -> None:
    """Take away what was written, the manifest first; errors here must not hide the first one."""
    (folder / MANIFEST).unlink(missing_ok=True)
    if remove:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for entry in sorted(folder.iterdir(), key=lambda one: one.name == MARKER):
        _remove(entry)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
