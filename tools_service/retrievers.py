"""Retrievers by name: `bm25` and `dense`. Both are built into an artifact folder and opened by mmap."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from components.contracts.artifacts import open_artifact, read_manifest, write_artifact
from components.contracts.errors import InputError
from components.contracts.manifests import sha256_of_file
from tools_service import object_store
from tools_service.bm25 import Bm25Index
from tools_service.bm25_build import build_index
from tools_service.cache import cache_folder, download_place
from tools_service.corpus import Passage, read_passages
from tools_service.ranking import Hit

RetrieverName = Literal["bm25", "dense"]
SCHEMAS: dict[RetrieverName, str] = {"bm25": "bm25_index/1", "dense": "dense_index/1"}


class Retriever(Protocol):
    """Finds passages for a text query."""

    def __len__(self) -> int:
        """How many passages there are."""
        ...

    def search(self, query: str, k: int = 1) -> list[Hit]:
        """The k best, by score descending, then by place in the corpus ascending."""
        ...

    def passage(self, document: int) -> Passage:
        """The passage at this place."""
        ...


def open_retriever(name: RetrieverName, uri: str, *, encoder: str = "") -> Retriever:
    """Opens a published index, a local folder (in place) or s3:// (downloaded into the cache once).

    Raises:
        InputError: no index of this kind there, or the store can't be reached.
    """
    folder = (
        object_store.download_artifact(uri, download_place(uri)) if object_store.is_remote(uri) else Path(uri)
    )
    artifact = open_artifact(
        folder, SCHEMAS[name], verify=False
    )  # to read all would take longer than to open
    _check_sizes(artifact.folder, {entry.path: entry.size for entry in artifact.manifest.files})
    if name == "bm25":
        return Bm25Index(folder)
    from tools_service.dense import DenseIndex

    return DenseIndex(folder, encoder)


def content_of(uri: str) -> str:
    """Which index an opened one is: the digest of its manifest.

    Raises:
        InputError: it can't be read.
    """
    return read_manifest(download_place(uri) if object_store.is_remote(uri) else Path(uri)).digest()


def publish_index(name: RetrieverName, corpus: Path, out: str, *, encoder: str = "") -> dict[str, int]:
    """Builds the index of a corpus and commits it to a folder or s3://; returns its counts.

    Raises:
        InputError: a bad corpus, or the target can't be written.
    """
    with _local_target(out) as folder:
        with write_artifact(folder, SCHEMAS[name]) as writer:
            if name == "bm25":
                counts = build_index(read_passages(corpus), writer.folder)
            else:
                from tools_service.dense import build_dense_index

                counts = build_dense_index(read_passages(corpus), writer.folder, encoder)
            writer.counts.update(counts)
            writer.lineage["corpus"] = sha256_of_file(corpus)
        if object_store.is_remote(out):
            object_store.upload_artifact(folder, out)
    return counts


def index_of_corpus(name: RetrieverName, corpus: Path, *, encoder: str = "") -> Path:
    """The index of a corpus file, built into the cache unless it is there already.

    Raises:
        InputError: a bad corpus.
    """
    if not corpus.is_file():
        raise InputError(
            f"corpus {corpus}: no such file; expected .jsonl or .jsonl.gz with id, title and text"
        )
    key = hashlib.sha256(f"{SCHEMAS[name]} {sha256_of_file(corpus)} {encoder}".encode()).hexdigest()[:32]
    folder = cache_folder() / "indexes" / key
    try:
        open_artifact(folder, SCHEMAS[name])
    except InputError:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            built = Path(temporary) / "index"
            publish_index(name, corpus, str(built), encoder=encoder)
            _put_in_place(built, folder, SCHEMAS[name])
    return folder


def _put_in_place(built: Path, folder: Path, schema: str) -> None:
    """Renames; when another process was quicker, its equal index stays."""
    try:
        built.rename(folder)
    except OSError:
        try:
            open_artifact(folder, schema)
        except InputError:
            with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
                folder.rename(Path(aside) / "damaged")
                built.rename(folder)


@contextmanager
def _local_target(out: str) -> Iterator[Path]:
    if not object_store.is_remote(out):
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="whetstone-index-") as temporary:
        yield Path(temporary) / "index"


def _check_sizes(folder: Path, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else -1
        if found != size:
            raise InputError(
                f"{path}: damaged: {max(found, 0)} bytes, expected {size}; build the index again"
            )
