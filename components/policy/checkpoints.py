"""Checkpoints that are either whole or not there, in object storage or a folder.

Each is an artifact of schema `checkpoint/1` under `<checkpoint_root>/<key>/step-<n>`, where the key is a
hash of all that decides the weights. Its manifest is uploaded last, so that one whose upload was cut
short is never seen as whole.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.images import VERSION
from components.contracts.settings import StageSettings
from components.storage import Storage, open_storage

SCHEMA = "checkpoint/1"
MANIFEST = "manifest.json"
KEPT = 2
_COMMITTED = re.compile(r"(?:^|/)step-(\d+)/manifest\.json$")


def checkpoint_key(inputs: Mapping[str, str]) -> str:
    """A folder name for checkpoints made from `inputs`: 32 hex digits; equal inputs, equal name."""
    text = json.dumps(dict(inputs), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Checkpoints:
    """The checkpoints of one training run, newest found by number.

    storage: of the run's own prefix, `<checkpoint_root>/<key>`. stage: what log lines begin with.
    """

    def __init__(self, storage: Storage, stage: str = "sft") -> None:
        self._storage = storage
        self.stage = stage

    def commit(self, folder: Path, step: int) -> None:
        """Store what lies in a folder as the checkpoint after `step`, and drop old ones.

        `folder` is moved into the artifact.

        Raises:
            InputError, OSError: the store or the disk does not take it; the ones before are unharmed.
        """
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            staged = Path(temporary) / "artifact"
            with write_artifact(staged, SCHEMA) as writer:
                for path in sorted(folder.iterdir()):
                    shutil.move(path, writer.folder / path.name)
                writer.counts["step"] = step
            manifest = Path(shutil.move(staged / MANIFEST, temporary))
            self._storage.upload_folder(staged, _name(step))
            self._storage.put_file(manifest, f"{_name(step)}/{MANIFEST}")
        # Cut short, this leaves a damaged checkpoint that is older than two whole ones.
        for old in self.steps()[:-KEPT]:
            self._storage.delete_prefix(_name(old))

    def newest(self, folder: Path) -> Path | None:
        """Download the newest whole checkpoint into `folder`; None when there is none.

        Partial and damaged ones are passed over, with a line that says so.
        """
        for step in reversed(self.steps()):
            target = folder / _name(step)
            try:
                self._storage.download_folder(_name(step), target)
                return open_artifact(target, SCHEMA).folder
            except InputError as error:
                print(f"[{self.stage}] checkpoint of step {step} is passed over: {error}", flush=True)
                shutil.rmtree(target, ignore_errors=True)
        return None

    def steps(self) -> list[int]:
        """Steps of the checkpoints whose manifest is there, ascending."""
        found = (_COMMITTED.search(stored.name) for stored in self._storage.list())
        return sorted(int(match.group(1)) for match in found if match)

    def clear(self) -> None:
        """Delete all of the run's checkpoints, partial ones too."""
        self._storage.delete_prefix("")


def open_checkpoints(
    checkpoint_root: str, settings: StageSettings, base_model: str, lineage: Mapping[str, str]
) -> Checkpoints | None:
    """The checkpoints of exactly this training; None when `checkpoint_root` is empty.

    lineage: the digests of the stage's inputs by name.

    Raises:
        InputError: the store can't be reached.
    """
    if not checkpoint_root:
        return None
    decides = {
        "stage": f"{settings.stage} {VERSION}",
        "settings": settings.canonical(),
        "base_model": base_model,
        "inputs": json.dumps(dict(lineage), sort_keys=True),
    }
    place = f"{checkpoint_root.rstrip('/')}/{settings.stage}-{checkpoint_key(decides)}"
    return Checkpoints(open_storage(place), settings.stage)


def _name(step: int) -> str:
    return f"step-{step:08d}"


class CheckpointCallback(TrainerCallback):  # type: ignore[misc]
    """Commits what the Trainer saves. A store that fails costs the checkpoint, not the training."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self.failed = 0

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called by the Trainer once its own files are written."""
        PartialState().wait_for_everyone()  # other processes add their files to the same folder
        if not state.is_world_process_zero:
            return
        folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        try:
            self.checkpoints.commit(folder, state.global_step)
        except (InputError, OSError) as error:
            self.failed += 1
            print(
                f"[{self.checkpoints.stage}] step {state.global_step} has no checkpoint: {error}", flush=True
            )
        shutil.rmtree(folder, ignore_errors=True)
