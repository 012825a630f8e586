"""Texts made comparable: the call's own names become TOOL, PARAM and VALUE, identifiers become words."""

import re
from collections.abc import Sequence

from components.contracts.records import ToolCall
from components.contracts.tool_schemas import ToolSchema, find_tool, tool_parameters

# Names that are ordinary words of messages: only quoted, or where a name must stand, they are the parameter.
_ORDINARY = frozenset(
    {
        "request", "query", "input", "text", "data", "url", "key", "name", "message", "type", "value", "function", "tool",
        "action", "method", "code", "format", "id", "time", "date", "number", "path", "content", "api", "output", "call",
        "token", "expression", "limit", "page", "country", "city", "location", "language", "title", "search", "user", "order", "file",
    }
)  # fmt: skip
_BEFORE = (
    r"(?:(?<=[\"'`<\[{(]|[-$:&=.])|^|(?<=parameter )|(?<=argument )|(?<=field )|(?<=option )|"
    r"(?<=keyword )|(?<=property )|"
    r"(?<=key )|(?<=input )|(?<=called )|(?<=named )|(?<=: )|(?<=missing )|(?<=Missing )|(?<=specify )|"
    r"(?<=provide )|"
    r"(?<=include )|(?<=supply )|(?<=value for )|(?<=value of )|(?<=without )|(?<=column )|(?<=for )|"
    r"(?<=need a )|(?<=needs a )|(?<=need the )|(?<=needs the )|(?<=needs )|(?<=need )|(?<=requires )|"
    r"(?<=requires a )|"
    r"(?<=lacks )|(?<=which )|(?<=[Nn]o )|(?<=[Ee]mpty )|(?<=drop )|(?<=expects )|(?<=tell me the )|"
    r"(?<=forgot )|(?<=the required ))"
)
_AFTER = (
    r"(?=[\"'`>\]})]|\s*$|:|\s(?:is|must|should|has to|cannot|can't|parameter|argument|field|was not|"
    r"not)\b|\.\s*$)"
)


def normalise(text: str, call: ToolCall | None, tools: Sequence[ToolSchema]) -> str:
    """The text with the call's names replaced and CamelCase and snake_case split into words.

    call: None leaves names alone. tools: gives the parameters that the call might have had.
    """
    if call is not None:
        tool = find_tool(tools, call.name)
        parameters = {*call.arguments, *(tool_parameters(tool) if tool else {})} - {""}
        texts = {
            value for value in call.arguments.values() if isinstance(value, str) and 2 < len(value) <= 60
        }
        text = _replaced(text, texts - parameters - {call.name}, "VALUE", quoted=True)
        text = _replaced(text, {call.name} - {""}, "TOOL")
        text = _replaced(text, parameters - {call.name}, "PARAM")
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", " ", text)
    return re.sub(r"(?<=[A-Za-z])_+(?=[A-Za-z])", " ", text).strip()


def hide_values(text: str, call: ToolCall | None) -> str:
    """A normalised text with the call's values as VALUE wherever they stand, quoted or not.

    Only values that can't be mistaken for the message's own words: of several words or with a digit.
    """
    values = [str(value) for value in call.arguments.values()] if call is not None else []
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= 5 and re.search(r"\s|\d", value):
            text = text.replace(value, "VALUE")
    return text


def _replaced(text: str, names: set[str], by: str, *, quoted: bool = False) -> str:
    """quoted: only between quotes."""
    for name in sorted(names, key=len, reverse=True):
        pattern = rf"(?<![\w]){re.escape(name)}(?!\w)"
        if quoted:
            pattern = rf"(?<=[\"'`]){re.escape(name)}(?=[\"'`])"
        elif name.lower() in _ORDINARY:
            pattern = (
                rf"{_BEFORE}(?<!\w){re.escape(name)}(?!\w)|"
                rf"(?<!\w)(?<!your )(?<!this ){re.escape(name)}(?!\w){_AFTER}"
            )
        text = re.sub(pattern, by, text)
    return text
