"""Whether a turn from which no call was read holds one all the same, in another form than it was asked for.

On questions that want no call such a turn is garbage and no restraint: it is counted as one that can't be parsed.
"""

import json
import re
from collections.abc import Sequence

from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_schemas import ToolSchema, tool_name

_FENCED = re.compile(r"```[\w-]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_NAMES, _VALUES = ("name", "function", "tool"), ("arguments", "parameters", "args")


def hides_call(text: str, tools: Sequence[ToolSchema]) -> bool:
    """Whether the text is empty or holds a call, whole or begun, in any form that is known here.

    Forms: each of CALL_FORMATS, JSON objects of a name and arguments (alone, in a list, in fences), a tag of
    `<tool_call`, and an offered tool's name with an argument behind its bracket. A tool that is only mentioned is none.
    """
    stripped = text.strip()
    if not stripped or "<tool_call" in stripped or "<function" in stripped:
        return True
    if any(_is_begun(tool_name(tool), stripped) for tool in tools):
        return True
    return any(_is_call(part, tools) for part in (stripped, *map(str.strip, _FENCED.findall(stripped))))


def _is_begun(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}\s*\(\s*(?:\w+\s*=|[\"'\d\[{{])", text) is not None


def _is_call(text: str, tools: Sequence[ToolSchema]) -> bool:
    if _is_json_call(text):
        return True
    turns = (get_call_format(name).parse(text, tools) for name in CALL_FORMATS)
    return any(turn.calls or turn.failures for turn in turns)


def _is_json_call(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    found = value if isinstance(value, list) else [value]
    return any(
        isinstance(one, dict) and any(key in one for key in _NAMES) and any(key in one for key in _VALUES)
        for one in found
    )
