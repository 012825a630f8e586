"""Keeping out of the records what can't be written as JSON in UTF-8.

Tokenizers give well-formed text, but a model may write "\\ud800" or 1e999 in a call's JSON, and a foreign
server may send half a surrogate pair as text.
"""

import json

from components.contracts.records import ToolCall


def storable_text(text: str) -> str:
    """The text with lone surrogates replaced by `?`; all other text is returned as it is."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def is_storable(call: ToolCall) -> bool:
    """Whether name and arguments are valid Unicode and all numbers are finite."""
    try:
        content = json.dumps([call.name, call.arguments], ensure_ascii=False, allow_nan=False)
        content.encode("utf-8")
    except (ValueError, RecursionError):
        return False
    return True
