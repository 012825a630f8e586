"""What the code reads beside Python is among the files that pyproject.toml puts into the package."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("components", "pipelines", "tools_service")
FOR_PEOPLE = (".md",)


def test_every_file_is_packed_and_every_pattern_packs_some() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = project["tool"]["setuptools"]["package-data"]
    assert set(data) == {"*"}  # of all packages
    files = [
        path.name
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", *FOR_PEOPLE)
    ]
    assert len(files) > 20
    assert [name for name in files if not any(fnmatch(name, one) for one in data["*"])] == []
    assert [one for one in data["*"] if not any(fnmatch(name, one) for name in files)] == []


def test_all_rooms_are_packed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == [f"{room}*" for room in ROOMS]
