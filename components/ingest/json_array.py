"""The elements of a JSON array one by one, each with the line it begins on."""

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")


def array_elements(text: str) -> Iterator[tuple[int, object]]:
    """Yield (line, value) for each element of the array that `text` holds.

    Raises:
        json.JSONDecodeError: `text` is not one JSON array; what came before the fault was yielded.
    """
    decoder = json.JSONDecoder()
    line, counted, position, expected = 1, 0, 0, "["
    while True:
        position = _after_space(text, position)
        if expected == "," and text.startswith("]", position):
            break
        if not text.startswith(expected, position):
            raise json.JSONDecodeError(f"expected {expected!r}", text, position)
        position = _after_space(text, position + 1)
        if expected == "[" and text.startswith("]", position):
            break
        line, counted = line + text.count("\n", counted, position), position
        value, position = _decode(decoder, text, position)
        yield line, value
        expected = ","
    end = _after_space(text, position + 1)
    if end < len(text):
        raise json.JSONDecodeError("expected nothing behind the array", text, end)


def _decode(decoder: json.JSONDecoder, text: str, position: int) -> tuple[object, int]:
    try:
        return decoder.raw_decode(text, position)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, endless nesting
        raise json.JSONDecodeError("value too long or too deep", text, position) from error


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
