"""`manifest.json`: what an artifact consists of, with checksums over its files and over itself."""

import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, JsonValue, ValidationError, field_validator

from components.contracts.errors import InputError
from components.contracts.records import Record

MANIFEST = "manifest.json"
MARKER = ".incomplete"
PARTIAL_MANIFEST = ".manifest.json.partial"
OWN_FILES = frozenset({MANIFEST, MARKER, PARTIAL_MANIFEST})


class FileEntry(Record):
    """One file of an artifact: relative POSIX path, size in bytes, SHA-256 in lowercase hexadecimal."""

    path: str
    size: int
    sha256: str

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or path != "/".join(parts) or path.startswith("/") or ".." in parts:
            raise ValueError("expected a relative path inside the artifact's folder")
        if "\\" in path or "\0" in path or ":" in parts[0] or path in OWN_FILES:
            raise ValueError("not a name that an artifact's file can have")
        return path

    @field_validator("sha256")
    @classmethod
    def _is_digest(cls, digest: str) -> str:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError("expected 64 lowercase hexadecimal digits")
        return digest


class Manifest(Record):
    """What `manifest.json` says, its own checksum left out.

    counts: numbers of records and the like. lineage: name of an input -> its digest. details: further
    facts about the content. payload: where the files are when they are not beside the manifest
    (`components.storage`), else empty.
    """

    schema_tag: str
    files: tuple[FileEntry, ...]
    counts: dict[str, int] = Field(default_factory=dict)
    lineage: dict[str, str] = Field(default_factory=dict)
    details: dict[str, JsonValue] = Field(default_factory=dict)
    payload: str = ""

    def digest(self) -> str:
        """SHA-256 over the canonical manifest without `payload`: equal content, equal digest."""
        return _sha256_of_json(self.model_dump(mode="json", exclude={"payload"}))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artifact of any schema.

    Raises:
        InputError: there is none (not an artifact, or never finished), or it was changed.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        state = "was never finished" if (folder / MARKER).exists() else "is not an artifact"
        raise InputError(f"{folder}: {state}: it has no {MANIFEST}") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged: not JSON") from error
    checksum = content.pop("checksum", None) if isinstance(content, dict) else None
    if not checksum or checksum != _sha256_of_json(content):
        raise InputError(f"{path}: damaged: its content does not match its checksum")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in its place in one step (temporary file, fsync, rename)."""
    content: dict[str, Any] = manifest.model_dump(mode="json")
    content["checksum"] = _sha256_of_json(content)
    partial = folder / PARTIAL_MANIFEST
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, folder / MANIFEST)
    fsync_folder(folder)


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Check that every file is there, of its size and content.

    Raises:
        InputError: naming the first file that is missing, a link, truncated or changed.
    """
    for entry in manifest.files:
        path = folder / entry.path
        if path.is_symlink() or folder.resolve() not in path.resolve().parents:
            raise InputError(f"{path}: a link, expected a file of the artifact")
        if not path.is_file():
            raise InputError(f"{path}: missing, though {MANIFEST} lists it")
        size = path.stat().st_size
        if size != entry.size:
            raise InputError(f"{path}: damaged: {size} bytes, expected {entry.size}")
        if sha256_of_file(path) != entry.sha256:
            raise InputError(f"{path}: damaged: its content does not match its checksum")


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fsync_file(path: Path) -> None:
    """Have a file's content on the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def fsync_folder(folder: Path) -> None:
    """Have a folder's names on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256_of_json(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()
