"""Publishing: the adapter and its card as one artifact, in a folder named by its content."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from components.contracts.artifacts import MANIFEST, Artifact, open_artifact, write_artifact
from components.storage import open_storage

SCHEMA = "adapter/1"
CARD = "README.md"


def publish(adapter: Artifact, card: str, publish_to: str, lineage: Mapping[str, str]) -> str:
    """Put the adapter with its card under `publish_to` and return where; its manifest comes last.

    The folder's name is the digest of what lies in it, so that publishing again changes nothing and a
    reader never sees a folder change. What lies there is an `adapter/1` like the one that was trained,
    with the card and the evaluations' digests added.

    Raises:
        InputError: `publish_to` can't be written.
    """
    with tempfile.TemporaryDirectory(prefix="whetstone-publish-") as folder:
        packed = pack(adapter, card, Path(folder) / "adapter", lineage)
        location = f"{publish_to.rstrip('/')}/{packed.digest[:16]}"
        storage = open_storage(location)
        if not storage.exists(MANIFEST):
            for entry in packed.manifest.files:
                storage.put_file(packed.path(entry.path), entry.path)
            storage.put_file(packed.folder / MANIFEST, MANIFEST)
    return location


def pack(adapter: Artifact, card: str, folder: Path, lineage: Mapping[str, str]) -> Artifact:
    """Write the artifact that is published into `folder`."""
    with write_artifact(folder, SCHEMA) as writer:
        for entry in adapter.manifest.files:
            target = writer.folder / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(adapter.path(entry.path), target)
        (writer.folder / CARD).write_text(card, encoding="utf-8")
        writer.counts.update(adapter.manifest.counts)
        writer.details.update(adapter.manifest.details)
        writer.lineage.update(lineage)
    return open_artifact(folder, SCHEMA)
