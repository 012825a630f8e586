"""ToolEyes: requests with their tools; nobody wrote down what should be called.

{"id": "Turn 1: Generate a random string of length 8.", "scenario": "TG", "path": "...", "conversations": [
   {"from": "system", "value": "... following tools:\\n[{\\"name\\": \\"generate_string\\", ...}]\\n\\nLet's Begin!"},
   {"from": "user", "value": "Generate a random string of length 8."}]}
"""

from collections.abc import Mapping

from components.ingest.formats.base import Format
from components.ingest.formats.react import tools_of_system, turns_of, user_message
from components.ingest.rows import Exchange, RowError


def convert(row: Mapping[str, object]) -> Exchange:
    """The request and its tools."""
    turns = turns_of(row)
    tools = tools_of_system(turns)
    if len(turns) != 2 or turns[1][0] not in ("user", "human"):
        raise RowError("conversations", "expected a system text and one message of the user")
    return Exchange(tools, (user_message("conversations[1].value", turns[1][1]),))


def matches(row: Mapping[str, object]) -> bool:
    """Whether tools are in the system text and no assistant has said anything."""
    turns = turns_of(row)
    return bool(turns) and all(speaker not in ("assistant", "gpt") for speaker, _ in turns)


FORMAT = Format("tooleyes", "tooleyes", matches, convert)
