"""Call formats: how tool calls look in an assistant's text. One module a format."""

from components.contracts.errors import InputError
from components.contracts.nearest import nearest
from components.contracts.tool_calls.base import (
    CallFormat,
    FailureReason,
    ParsedCall,
    ParsedTurn,
    ParseFailure,
    Span,
)
from components.contracts.tool_calls.hermes import HermesFormat
from components.contracts.tool_calls.llama3_json import Llama3JsonFormat
from components.contracts.tool_calls.paper import PaperFormat
from components.contracts.tool_calls.pythonic import PythonicFormat

_FORMATS: dict[str, CallFormat] = {
    one.name: one for one in (PaperFormat(), HermesFormat(), PythonicFormat(), Llama3JsonFormat())
}

CALL_FORMATS: tuple[str, ...] = tuple(_FORMATS)

__all__ = [
    "CALL_FORMATS",
    "CallFormat",
    "FailureReason",
    "ParseFailure",
    "ParsedCall",
    "ParsedTurn",
    "Span",
    "get_call_format",
]


def get_call_format(name: str) -> CallFormat:
    """The call format of that name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in _FORMATS:
        raise InputError(
            f"unknown call format {name!r}{nearest(name, CALL_FORMATS)}; known: {', '.join(CALL_FORMATS)}"
        )
    return _FORMATS[name]
