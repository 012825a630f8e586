"""Artifacts whose files lie in object storage: the folder keeps the manifest alone.

Files are content-addressed, `<artifact_store>/sha256/ab/<digest>`, so equal files are stored once and a
repeated commit uploads nothing.
"""

import atexit
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from components.contracts.artifacts import Artifact, ArtifactWriter, open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import write_errors
from components.contracts.manifests import FileEntry, read_manifest, verify_files, write_manifest
from components.storage.base import Storage
from components.storage.names import join
from components.storage.open import open_storage


@contextmanager
def write_output(path: Path | str, schema: str, artifact_store: str = "") -> Iterator[ArtifactWriter]:
    """Write a stage's output artifact and, when a store is named, put its files there.

    Raises:
        InputError: no room, or the store can't be used; before the block runs when that is known then.
    """
    if artifact_store:
        open_storage(artifact_store)
    with write_artifact(path, schema) as writer:
        yield writer
    commit_output(Path(path), artifact_store)


def commit_output(folder: Path, artifact_store: str) -> None:
    """Move a committed artifact's files into the store; nothing to do when that is empty.

    Files first, then the manifest in one step, then the local files go: after a crash in between the
    artifact is whole, here or there.

    Raises:
        InputError: the store can't be used; the artifact then stays whole in its folder.
    """
    manifest = read_manifest(folder)
    if not artifact_store or manifest.payload:
        return
    payload = join(artifact_store, "sha256")
    storage = open_storage(payload)
    for entry in manifest.files:
        name = _object_name(entry)
        if not storage.exists(name, size=entry.size):
            storage.put_file(folder / entry.path, name)
    with write_errors(folder):
        write_manifest(folder, manifest.model_copy(update={"payload": payload}))
    for entry in manifest.files:
        (folder / entry.path).unlink(missing_ok=True)
    for child in sorted(folder.iterdir()):
        if child.is_dir():
            shutil.rmtree(child, ignore_errors=True)


def open_input(
    path: Path | str, schema: str, artifact_store: str = "", *, only: Collection[str] | None = None
) -> Artifact:
    """Open a stage's input by the schema expected, its files fetched when they lie in a store, and verified.

    Fetched files live in a temporary folder until the process ends. An object that is
    not where the manifest says is looked for in `artifact_store` too (a store that was copied). only: the names of
    those to fetch, where the rest is not needed; names that the artifact does not have are passed over.

    Raises:
        InputError: not such an artifact; a file is missing or damaged; the store can't be used.
    """
    artifact = open_artifact(path, schema)
    if not artifact.manifest.payload:
        return artifact
    folder = Path(tempfile.mkdtemp(prefix="whetstone-input-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        places = [artifact.manifest.payload]
        if artifact_store and join(artifact_store, "sha256") not in places:
            places.append(join(artifact_store, "sha256"))
        storages: list[Storage] = []
        wanted = [entry for entry in artifact.manifest.files if only is None or entry.path in only]
        for entry in wanted:
            _fetch_entry(entry, folder, places, storages)
        verify_files(folder, artifact.manifest.model_copy(update={"files": tuple(wanted)}))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Artifact(folder, artifact.manifest, artifact.digest)


def hand_on(source: Path | str, target: Path | str, schema: str) -> Artifact:
    """Give an input artifact out again as an output, unchanged: the digest stays, a payload is not copied.

    Raises:
        InputError: not such an artifact; `target` holds other files or can't be written.
    """
    opened = open_artifact(source, schema)
    manifest = opened.manifest
    if manifest.payload:
        with write_errors(Path(target)):
            Path(target).mkdir(parents=True, exist_ok=True)
            write_manifest(Path(target), manifest)
        return opened
    with write_artifact(target, schema) as writer:
        for entry in manifest.files:
            place = writer.folder / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(opened.folder / entry.path, place)
        writer.counts.update(manifest.counts)
        writer.lineage.update(manifest.lineage)
        writer.details.update(manifest.details)
    return opened


def _fetch_entry(entry: FileEntry, folder: Path, places: list[str], storages: list[Storage]) -> None:
    """Get one file from the first place that has it; `storages` grows with the places looked at."""
    name = _object_name(entry)
    for index, place in enumerate(places):
        if index == len(storages):
            storages.append(open_storage(place))
        if index == len(places) - 1 or storages[index].exists(name):
            try:
                storages[index].get_file(name, folder / entry.path)
            except InputError as error:
                raise InputError(f"{entry.path}: {error}") from error
            return


def _object_name(entry: FileEntry) -> str:
    return f"{entry.sha256[:2]}/{entry.sha256}"
