"""Checkpoints are whole or not there; only the newest two are kept."""

from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.policy.checkpoints import Checkpoints, checkpoint_key
from components.storage import open_storage
from tests.object_store import ObjectStore


def write_trainer_files(folder: Path, step: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(bytes([step]) * 1000)
    (folder / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
    return folder


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    found = Checkpoints(open_storage(str(tmp_path / "root" / "key")))
    for step in (5, 10, 15):
        found.commit(write_trainer_files(tmp_path / "work" / f"checkpoint-{step}", step), step)
    return found


def test_newest_two_are_kept_and_the_newest_is_found(checkpoints: Checkpoints, tmp_path: Path) -> None:
    assert checkpoints.steps() == [10, 15]
    assert not (tmp_path / "root" / "key" / "step-00000005").exists()
    newest = checkpoints.newest(tmp_path / "resume")
    assert newest is not None
    assert (newest / "adapter_model.safetensors").read_bytes() == bytes([15]) * 1000
    assert not (tmp_path / "work" / "checkpoint-15" / "adapter_model.safetensors").exists()


@pytest.mark.parametrize("harm", ["no manifest", "truncated", "flipped bit", "missing file"])
def test_one_that_is_not_whole_is_passed_over(checkpoints: Checkpoints, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "root" / "key" / "step-00000015"
    weights = folder / "adapter_model.safetensors"
    content = weights.read_bytes()
    match harm:
        case "no manifest":
            (folder / "manifest.json").unlink()
        case "truncated":
            weights.write_bytes(content[:-1])
        case "flipped bit":
            weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "missing file":
            weights.unlink()
    newest = checkpoints.newest(tmp_path / "resume")
    assert newest is not None
    assert (newest / "adapter_model.safetensors").read_bytes() == bytes([10]) * 1000


def test_none_left_means_beginning_anew(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.clear()
    assert checkpoints.steps() == []
    assert checkpoints.newest(tmp_path / "resume") is None
    assert not [path for path in (tmp_path / "root").rglob("*") if path.is_file()]


def test_key_depends_on_every_input() -> None:
    inputs = {"settings": "{}", "base_model": "demo://x", "inputs": "a"}
    keys = {checkpoint_key({**inputs, name: "changed"}) for name in inputs} | {checkpoint_key(inputs)}
    assert len(keys) == 4
    assert checkpoint_key(dict(reversed(inputs.items()))) == checkpoint_key(inputs)


def test_a_store_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused = Checkpoints(open_storage(str(tmp_path / "file" / "root")))
    with pytest.raises(InputError, match="file"):
        refused.commit(write_trainer_files(tmp_path / "checkpoint-1", 1), 1)


def test_the_same_in_a_bucket(s3: ObjectStore, tmp_path: Path) -> None:
    found = Checkpoints(open_storage(f"s3://{s3.bucket}/checkpoints/key"))
    for step in (1, 2, 3):
        found.commit(write_trainer_files(tmp_path / f"checkpoint-{step}", step), step)
    assert found.steps() == [2, 3]
    newest = found.newest(tmp_path / "resume")
    assert newest is not None
    assert (newest / "adapter_model.safetensors").read_bytes() == bytes([3]) * 1000
    found.clear()
    assert found.steps() == []
