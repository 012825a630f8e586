"""Can the questions be read? Their first bytes are; formats are ingest's business."""

import gzip
import zlib
from itertools import islice
from pathlib import Path

from components.contracts.errors import InputError
from components.storage import open_storage

DEMOS = {"demo://": "the built-in questions", "demo://calls": "the built-in tool calls"}
HEAD_BYTES = 65536
MOST_OBJECTS = 1000  # of a prefix that are counted


def look_at_questions(uri: str) -> str:
    """Whether the file, folder or prefix is there and its beginning can be read.

    Raises:
        InputError: it is not, is empty, or is no gzip in spite of its name.
    """
    if not uri:
        raise InputError("questions: empty, expected a file, a folder, s3:// or demo:// (comma separated)")
    scheme, separator, rest = uri.partition("://")
    if separator and scheme == "demo":
        if uri not in DEMOS:
            raise InputError(f"questions: {uri}: unknown demo, expected {' or '.join(DEMOS)}")
        return DEMOS[uri]
    if separator and scheme == "s3":
        return _stored(uri)
    if separator and scheme != "file":
        raise InputError(f"questions: {uri}: unknown scheme {scheme!r}, expected a path, s3:// or demo://")
    path = Path(rest if separator else uri)
    if path.is_file():
        return _head(path, uri)
    if not path.is_dir():
        raise InputError(f"questions: {uri}: no such file or folder")
    files = sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        raise InputError(f"questions: {uri}: an empty folder")
    return f"{len(files)} files; first {files[0].name}: {_head(files[0], uri)}"


def _head(path: Path, uri: str) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"questions: {uri}: expected a gzip file ({error})") from error
    except OSError as error:
        raise InputError(f"questions: {uri}: can't be read: {error.strerror or error}") from error
    if not head.strip():
        raise InputError(f"questions: {uri}: empty")
    return f"{path.stat().st_size} bytes"


def _stored(uri: str) -> str:
    parent, _, last = uri.rstrip("/").rpartition("/")
    storage = open_storage(uri if parent == "s3:/" else parent)
    last = "" if parent == "s3:/" else last
    near = islice(storage.list(last), MOST_OBJECTS)
    sizes = [one.size for one in near if not last or one.name == last or one.name.startswith(f"{last}/")]
    if not sizes:
        raise InputError(f"questions: {uri}: no such object, and no objects under it")
    if not sum(sizes):
        raise InputError(f"questions: {uri}: empty")
    return f"{len(sizes)} objects, {sum(sizes)} bytes"
