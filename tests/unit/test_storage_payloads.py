"""Artifacts whose files lie in a store: content-addressed, verified, whole after a crash anywhere."""

from pathlib import Path

import pytest

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.storage import hand_on, open_input, open_storage, write_output
from tests.crashes import run_until_every_event
from tests.object_store import ObjectStore


def write_sample(folder: Path, store: str) -> None:
    """An artifact of three files, two of them equal."""
    with write_output(folder, "traces/1", store) as writer:
        (writer.folder / "inner").mkdir()
        for name, content in (("a.txt", "alpha"), ("inner/b.txt", "beta"), ("inner/c.txt", "alpha")):
            (writer.folder / name).write_text(content)
        writer.counts["records"] = 3


@pytest.fixture(params=["s3", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty artifact store of each kind."""
    if request.param == "local":
        return str(tmp_path / "store")
    server: ObjectStore = request.getfixturevalue("s3")
    return f"s3://{server.bucket}/{tmp_path.name}"


def test_files_go_to_the_store_and_come_back(store: str, tmp_path: Path) -> None:
    write_sample(tmp_path / "here", "")
    write_sample(tmp_path / "there", store)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["manifest.json"]
    assert len(list(open_storage(store).list("sha256/"))) == 2
    artifact = open_input(tmp_path / "there", "traces/1")
    assert artifact.path("inner/b.txt").read_text() == "beta"
    assert artifact.path("inner/c.txt").read_text() == "alpha"
    assert artifact.digest == open_input(tmp_path / "here", "traces/1").digest
    assert artifact.manifest.counts == {"records": 3}
    with pytest.raises(InputError, match=r"expected an artifact of adapter/1, this is one of traces/1"):
        open_input(tmp_path / "there", "adapter/1")


def test_one_file_comes_alone(store: str, tmp_path: Path) -> None:
    write_sample(tmp_path / "there", store)
    artifact = open_input(tmp_path / "there", "traces/1", only=("inner/b.txt", "absent.txt"))
    found = [path.relative_to(artifact.folder) for path in artifact.folder.rglob("*") if path.is_file()]
    assert found == [Path("inner/b.txt")]
    assert artifact.digest == open_input(tmp_path / "there", "traces/1").digest


@pytest.mark.parametrize("stored", [False, True])
def test_an_artifact_is_handed_on_unchanged(store: str, tmp_path: Path, stored: bool) -> None:
    write_sample(tmp_path / "first", store if stored else "")
    hand_on(tmp_path / "first", tmp_path / "second", "traces/1")
    first, second = (open_input(tmp_path / name, "traces/1") for name in ("first", "second"))
    assert second.digest == first.digest
    assert second.path("inner/b.txt").read_text() == "beta"
    assert (tmp_path / "second" / "inner").exists() != stored
    with pytest.raises(InputError, match="expected an artifact of adapter/1"):
        hand_on(tmp_path / "first", tmp_path / "third", "adapter/1")


def test_damage_in_the_store_is_named(store: str, tmp_path: Path) -> None:
    write_sample(tmp_path / "there", store)
    storage = open_storage(store)
    first = open_artifact(tmp_path / "there", "traces/1").manifest.files[0]
    name = f"sha256/{first.sha256[:2]}/{first.sha256}"
    (tmp_path / "flipped").write_text("alphb")
    storage.put_file(tmp_path / "flipped", name)
    with pytest.raises(InputError, match=r"a\.txt: damaged"):
        open_input(tmp_path / "there", "traces/1")
    storage.delete_prefix("sha256")
    with pytest.raises(InputError, match=r"a\.txt: .*no such"):
        open_input(tmp_path / "there", "traces/1")
    write_sample(tmp_path / "again", store + "-copy")
    assert open_input(tmp_path / "there", "traces/1", store + "-copy").path("a.txt").read_text() == "alpha"


def test_a_crash_while_committing_leaves_a_whole_artifact_or_none(tmp_path: Path) -> None:
    """Killed before every single file operation, with a local folder as the store."""
    seen = set()
    for number, folder in run_until_every_event(
        lambda folder: write_sample(folder / "artifact", str(folder / "store")), tmp_path
    ):
        try:
            artifact = open_input(folder / "artifact", "traces/1")
        except InputError:
            seen.add("none")
        else:
            assert [artifact.path(entry.path).read_text() for entry in artifact.manifest.files] == [
                "alpha",
                "beta",
                "alpha",
            ]
            seen.add("elsewhere" if artifact.manifest.payload else "here")
        write_sample(folder / "artifact", str(folder / "store"))
        assert open_input(folder / "artifact", "traces/1").path("a.txt").read_text() == "alpha", number
    assert seen == {"none", "here", "elsewhere"}


def test_an_unusable_store_is_said_before_the_work(s3: ObjectStore, tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="no such bucket"),
        write_output(tmp_path / "x", "traces/1", "s3://absent/x"),
    ):
        raise AssertionError("the block must not run")
    assert not (tmp_path / "x").exists()
