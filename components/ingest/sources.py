"""From the run's `questions` parameter to files on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.contracts.errors import InputError
from components.ingest.companions import is_companion
from components.ingest.containers import container_suffix
from components.storage import fetch

DEMO = "demo://"
DEMO_CALLS = "demo://calls"


@dataclass(frozen=True)
class Source:
    """One file of questions: `name` is what the user called it, `path` where it lies here."""

    name: str
    path: Path


def split_uris(text: str, parameter: str) -> list[str]:
    """The URIs of a comma separated list.

    Raises:
        InputError: the list is empty.
    """
    uris = [uri.strip() for uri in text.split(",") if uri.strip()]
    if not uris:
        raise InputError(f"{parameter}: empty, expected a file, a folder, s3:// or demo:// (comma separated)")
    return uris


def open_sources(uri: str, scratch: Path, parameter: str) -> Iterator[Source]:
    """The files under `uri`; what lies in object storage is brought into `scratch` first.

    Raises:
        InputError: an unknown scheme, nothing there, or no file of a known kind in a folder.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and scheme == "demo":
        raise InputError(f"{parameter}: {uri}: unknown demo, expected {DEMO} or {DEMO_CALLS}")
    if separator and scheme not in ("s3", "file"):
        raise InputError(f"{parameter}: {uri}: unknown scheme {scheme!r}, expected a path, s3:// or demo://")
    path = fetch(uri, scratch) if scheme == "s3" and separator else Path(rest if separator else uri)
    if path.is_file():
        yield Source(uri, path)
        return
    if not path.is_dir():
        raise InputError(f"{parameter}: {uri}: no such file or folder")
    found = sorted(file for file in path.rglob("*") if file.is_file() and container_suffix(file.name))
    files = [file for file in found if not is_companion(file)]
    if not files:
        raise InputError(f"{parameter}: {uri}: no csv, tsv, jsonl, json or parquet file in this folder")
    for file in files:
        yield Source(f"{uri.rstrip('/')}/{file.relative_to(path).as_posix()}", file)
