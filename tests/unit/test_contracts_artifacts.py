"""Artifacts: never seen half-done, every damage found and named, nothing outside the folder touched."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.errors import InputError
from tests.crashes import run_until_every_event

FILES = {"one.jsonl": b'{"a": 1}\n' * 50, "inner/two.bin": bytes(range(256)), "empty": b""}


def write_sample(folder: Path) -> None:
    """An artifact of three files."""
    with write_artifact(folder, "traces/1") as writer:
        (writer.folder / "inner").mkdir()
        for name, content in FILES.items():
            (writer.folder / name).write_bytes(content)
        writer.counts["records"] = 50
        writer.lineage["questions"] = "0" * 64
        writer.details["kinds"] = ["a"]


def read_all(artifact: Artifact) -> dict[str, bytes]:
    """The content of all of an artifact's files."""
    return {entry.path: artifact.path(entry.path).read_bytes() for entry in artifact.manifest.files}


def test_what_was_written_is_opened(tmp_path: Path) -> None:
    write_sample(tmp_path / "x")
    artifact = open_artifact(tmp_path / "x", "traces/1")
    assert read_all(artifact) == FILES
    assert artifact.manifest.counts == {"records": 50}
    assert artifact.manifest.details == {"kinds": ["a"]}
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == [
        "empty",
        "inner",
        "manifest.json",
        "one.jsonl",
    ]
    write_sample(tmp_path / "y")
    assert open_artifact(tmp_path / "y", "traces/1").digest == artifact.digest
    with pytest.raises(InputError, match=r"no file 'three'; it has: empty, inner/two\.bin, one\.jsonl"):
        artifact.path("three")


def test_another_tag_names_both(tmp_path: Path) -> None:
    write_sample(tmp_path / "x")
    with pytest.raises(InputError, match=r"x: expected an artifact of adapter/1, this is one of traces/1"):
        open_artifact(tmp_path / "x", "adapter/1")
    for folder in (tmp_path, tmp_path / "absent", tmp_path / "x" / "one.jsonl"):
        with pytest.raises(InputError, match=r"is not an artifact: it has no manifest\.json"):
            open_artifact(folder, "traces/1")


def test_killed_before_any_file_operation_it_is_whole_or_invisible(tmp_path: Path) -> None:
    deaths = 0
    for number, folder in run_until_every_event(lambda folder: write_sample(folder / "x"), tmp_path):
        deaths += 1
        try:
            artifact = open_artifact(folder / "x", "traces/1")
        except InputError:
            assert not (folder / "x" / "manifest.json").exists(), number
        else:
            assert read_all(artifact) == FILES
        write_sample(folder / "x")
        assert read_all(open_artifact(folder / "x", "traces/1")) == FILES
    assert deaths > 15


def test_killed_while_replacing_it_is_never_a_mixture(tmp_path: Path) -> None:
    def replace(folder: Path) -> None:
        with write_artifact(folder / "x", "traces/1") as writer:
            (writer.folder / "one.jsonl").write_bytes(b"new")

    def both(folder: Path) -> None:
        write_sample(folder / "x")
        replace(folder)

    for _, folder in run_until_every_event(both, tmp_path):
        try:
            artifact = open_artifact(folder / "x", "traces/1")
        except InputError:
            continue
        assert read_all(artifact) in (FILES, {"one.jsonl": b"new"})


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        with write_artifact(folder, "traces/1") as writer:
            (writer.folder / "one.jsonl").write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail(tmp_path / "x")
    assert not (tmp_path / "x").exists()
    (tmp_path / "y").mkdir()
    with pytest.raises(RuntimeError, match="stop"):
        fail(tmp_path / "y")
    assert list((tmp_path / "y").iterdir()) == []


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(InputError, match="holds files that are no artifact"),
        write_artifact(tmp_path, "traces/1"),
    ):
        raise AssertionError("the block must not run")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_every_flipped_bit_truncation_and_loss_is_found_and_named(tmp_path: Path) -> None:
    write_sample(tmp_path / "x")
    for name in (*FILES, "manifest.json"):
        path = tmp_path / "x" / name
        whole = path.read_bytes()
        damages = [
            bytes([*whole[:place], whole[place] ^ (1 << place % 8), *whole[place + 1 :]])
            for place in range(0, len(whole), 7)
        ]
        damages += [whole[:length] for length in range(0, len(whole), 31)] + [whole + b"\n"] * (
            name != "manifest.json"
        )
        for damage in damages:
            path.write_bytes(damage)
            with pytest.raises(InputError) as raised:
                open_artifact(tmp_path / "x", "traces/1")
            assert str(path) in str(raised.value)
            assert "\n" not in str(raised.value)
        path.unlink()
        with pytest.raises(InputError, match=path.name):
            open_artifact(tmp_path / "x", "traces/1")
        path.write_bytes(whole)
    assert read_all(open_artifact(tmp_path / "x", "traces/1")) == FILES


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "a/../../b", "", ".", "manifest.json", "a\\b", "C:/x", "a//b"]
)
def test_a_manifest_can_not_point_outside(name: str, tmp_path: Path) -> None:
    from components.contracts.manifests import _sha256_of_json

    write_sample(tmp_path / "x")
    path = tmp_path / "x" / "manifest.json"
    content = json.loads(path.read_text())
    del content["checksum"]
    content["files"][0]["path"] = name
    path.write_text(json.dumps({**content, "checksum": _sha256_of_json(content)}))
    with pytest.raises(InputError, match=r"manifest\.json: files\.0\.path: "):
        open_artifact(tmp_path / "x", "traces/1")


def test_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="link"), write_artifact(tmp_path / "w", "traces/1") as writer:
        (writer.folder / "link").symlink_to("/etc/passwd")
    write_sample(tmp_path / "x")
    one = tmp_path / "x" / "one.jsonl"
    one.rename(tmp_path / "elsewhere")
    one.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"one\.jsonl: a link"):
        open_artifact(tmp_path / "x", "traces/1")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB; skipped where one can't be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a full disk needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("size", [20_000, 6_140])
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(size: int, tiny_disk: Path) -> None:
    def write() -> None:
        with write_artifact(tiny_disk / "x", "traces/1") as writer:
            for number in range(10):
                (writer.folder / str(number)).write_bytes(b"x" * size)

    with pytest.raises(InputError, match=r"no room to write the artifact traces/1"):
        write()
    assert list(tiny_disk.iterdir()) == []


def test_a_file_size_limit_while_committing_is_the_same(tmp_path: Path) -> None:
    """The files fit, the manifest does not."""
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from components.contracts.artifacts import write_artifact\n"
        "from components.contracts.errors import InputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        "try:\n"
        "    with write_artifact(Path(sys.argv[1]), 'traces/1') as writer:\n"
        "        for number in range(20): (writer.folder / str(number)).write_text('x')\n"
        "except InputError as error: print(error); sys.exit(3)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, (done.stderr, -signal.SIGXFSZ)
    assert "no room to write the artifact traces/1: File too large" in done.stdout
    assert not (tmp_path / "x").exists()
