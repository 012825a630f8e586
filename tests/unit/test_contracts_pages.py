"""Pages that a stage writes beside its artifacts."""

from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.contracts.pages import write_page


def test_a_page_is_written_with_its_folder(tmp_path: Path) -> None:
    write_page(str(tmp_path / "new" / "page.html"), "\u00e9\n")
    assert (tmp_path / "new" / "page.html").read_bytes() == b"\xc3\xa9\n"


def test_no_room_and_no_folder_are_one_line_that_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^/dev/full: can't be written: No space left on device$"):
        write_page("/dev/full", "x")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/page\.html: can't be written: "):
        write_page(tmp_path / "file" / "page.html", "x")
