"""Passages from a corpus file: one JSON object a line, `.jsonl` or `.jsonl.gz`, with id, title and text."""

import gzip
import re
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from components.contracts.errors import InputError

_WORD = re.compile(r"\w+")


class Passage(BaseModel):
    """One passage. Fields that are not named here are left behind."""

    id: int | str
    title: str = ""
    text: str

    @property
    def shown(self) -> str:
        """What a search replies with: "Title: text"."""
        return f"{self.title}: {self.text}" if self.title else self.text


def read_passages(path: Path) -> Iterator[Passage]:
    """Streams the passages of a file; blank lines are skipped.

    Raises:
        InputError: no such file, nothing in it, or a bad line (file:line: field: what was expected).
    """
    if not path.is_file():
        raise InputError(f"corpus {path}: no such file; expected .jsonl or .jsonl.gz with id, title and text")
    found = False
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    found = True
                    yield _read_passage(path, number, line)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"corpus {path}: damaged gzip file ({error}); expected .jsonl.gz") from error
    if not found:
        raise InputError(
            f"corpus {path}: no passages; expected one JSON object a line with id, title and text"
        )


def words(text: str) -> list[str]:
    """The words of a text as search sees them: runs of letters and digits, lower case, without accents."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _WORD.findall(text.lower())


def _read_passage(path: Path, number: int, line: bytes) -> Passage:
    try:
        return Passage.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"][:1]) or "line"
        raise InputError(
            f"{path}:{number}: {field}: {first['msg']}; expected a JSON object with id, title and text"
        ) from None
