"""Lines of a JSON Lines file, decoded and parsed one by one; what is wrong with a bad one."""

import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from components.contracts.errors import InputError

QUOTED_CHARACTERS = 2000  # of a bad line, kept in the quarantine file
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A number that may overflow a float to infinity; rare, so that only such lines are parsed with care.
MAYBE_INFINITE = re.compile(r"[eE]\+?\d{3}|\d{300}")


@dataclass(frozen=True)
class BadLine:
    """One line that can't be used: where it is, which field (empty: the whole line), and why."""

    file: str
    line: int
    field: str
    reason: str
    text: str

    def message(self) -> str:
        """`file:line: field: what, expected`, on one line."""
        field = f"{self.field}: " if self.field else ""
        return " ".join(f"{self.file}:{self.line}: {field}{self.reason}".split())


def read_lines(path: Path, max_line_bytes: int) -> Iterator[tuple[int, str | BadLine]]:
    """Decoded lines with their numbers. Empty lines count as bad unless only such follow."""
    number = 0
    empty: list[int] = []
    try:
        stream: IO[bytes] = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[assignment]  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from error
    with stream:
        while True:
            try:
                raw = stream.readline(max_line_bytes + 1)
                too_long = len(raw) > max_line_bytes and not raw.endswith(b"\n")
                if too_long:
                    _skip_line(stream)
            except (OSError, EOFError, zlib.error) as error:
                yield (
                    number + 1,
                    bad_line(path, number + 1, f"the file can't be read from here on: {error}", b""),
                )
                return
            if not raw:
                return
            number += 1
            if number == 1 and raw.startswith(BYTE_ORDER_MARK):
                raw = raw[len(BYTE_ORDER_MARK) :]
            if not raw.strip():
                empty.append(number)
                continue
            for line in empty:
                yield line, bad_line(path, line, "empty line, expected a JSON object", b"")
            empty.clear()
            if too_long:
                yield number, bad_line(path, number, f"longer than {max_line_bytes} bytes", raw)
                continue
            try:
                yield number, raw.decode("utf-8")
            except UnicodeDecodeError as error:
                yield (
                    number,
                    bad_line(path, number, f"not UTF-8 at byte {error.start + 1}: {error.reason}", raw),
                )


def _skip_line(stream: IO[bytes]) -> None:
    while True:
        piece = stream.readline(1024 * 1024)
        if not piece or piece.endswith(b"\n"):
            return


def bad_line(path: Path, number: int, reason: str, text: bytes | str, field: str = "") -> BadLine:
    """A BadLine with so much of its text as is worth keeping."""
    if isinstance(text, bytes):
        text = text[: 4 * QUOTED_CHARACTERS].decode("utf-8", errors="backslashreplace")
    return BadLine(str(path), number, field, reason, text.rstrip("\r\n")[:QUOTED_CHARACTERS])


class _Refused(ValueError):
    """What the JSON grammar or Python's reader allows and we do not."""


def parse_object(path: Path, number: int, line: str) -> dict[str, Any] | BadLine:
    """The line's JSON object, or why it is none that we take."""
    to_float = _finite if MAYBE_INFINITE.search(line) else None
    try:
        value = json.loads(line, object_pairs_hook=_unique, parse_constant=_constant, parse_float=to_float)
    except json.JSONDecodeError as error:
        return bad_line(
            path, number, f"not JSON at column {error.pos + 1}: {error.msg}, expected one JSON object", line
        )
    except RecursionError:
        return bad_line(path, number, "nested too deeply", line)
    except ValueError as error:
        return bad_line(path, number, str(error), line)
    if not isinstance(value, dict):
        return bad_line(path, number, f"expected a JSON object, got {type(value).__name__}", line)
    if "\\ud" in line or "\\uD" in line:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            return bad_line(path, number, "half of a surrogate pair, expected whole characters", line)
    return value


def shorten(value: object) -> str:
    """A value as Python shows it, on one short line."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"the key {shorten(key)} is there twice")
            seen.add(key)
    return result


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON, expected a finite number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(f"{shorten(text)} is too large a number")
    return value
