"""Kills a process before each of its file operations, one after the other, for real."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

OPERATIONS = frozenset(
    {
        "open",
        "os.rename",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "os.listdir",
        "os.scandir",
        "shutil.copyfile",
        "shutil.rmtree",
        "os.truncate",
    }
)


def run_until_every_event(action: Callable[[Path], None], folder: Path) -> Iterator[tuple[int, Path]]:
    """Run `action(fresh folder)` in a child that ends abruptly before its n-th file operation there.

    Yields (n, folder) after each death, for n = 0, 1, ... until a child gets through.
    """
    number = 0
    while True:
        place = folder / f"run-{number}"
        place.mkdir()
        child = os.fork()
        if child == 0:
            _die_before(number, place)
            try:
                action(place)
            except BaseException:
                os._exit(2)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return
        assert status == 9, f"the action itself failed before operation {number}"
        yield number, place
        number += 1


def _die_before(number: int, place: Path) -> None:
    left = number

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in OPERATIONS and str(place) in str(arguments[0] if arguments else ""):
            if left == 0:
                os._exit(9)
            left -= 1

    sys.addaudithook(watch)
