"""glaive function calling v2, as published: system and chat as text.

    {"system": "SYSTEM: You are a helpful assistant with access to the following functions. Use them if
       required -\\n{\\"name\\": \\"get_news\\", \\"description\\": \\"...\\", \\"parameters\\": {...}}",
     "chat": "USER: News from Norway?\\n\\n\\nASSISTANT: <functioncall> {\\"name\\": \\"get_news\\", \\"arguments\\":
       '{\\"country\\": \\"Norway\\"}'} <|endoftext|>\\n\\n\\nFUNCTION RESPONSE: {\\"headlines\\": []}\\n\\n\\nASSISTANT:
       There are none. <|endoftext|>"}

Its form with `conversations` and `tools` is ShareGPT's.
"""

import re
from collections.abc import Mapping

from components.contracts.records import ToolCall
from components.ingest.call_texts import make_call
from components.ingest.fields import text_of
from components.ingest.formats.base import Format
from components.ingest.formats.tool_lists import tools_in
from components.ingest.rows import Exchange, RowError, Said

SPEAKER = re.compile(r"^(USER|ASSISTANT|FUNCTION RESPONSE):\s*", re.MULTILINE)
END = "<|endoftext|>"
CALL = "<functioncall>"
FORM = re.compile(
    r"\{\s*\"name\":\s*\"(?P<name>[^\"]+)\"(?:,\s*\"arguments\":\s*(?P<arguments>.*?))?\s*\}\s*\Z", re.DOTALL
)


def convert(row: Mapping[str, object]) -> Exchange:
    """The dialogue with its calls read."""
    chat = text_of(row, ("chat",))
    found = list(SPEAKER.finditer(chat))
    if not found:
        raise RowError("chat", "expected USER: and ASSISTANT: at the beginning of lines")
    ends = [*(one.start() for one in found[1:]), len(chat)]
    said = tuple(_said(one[1], chat[one.end() : end]) for one, end in zip(found, ends, strict=True))
    if not any(one.calls for one in said):
        raise RowError("chat", "a trajectory without a call")
    return Exchange(tools_in(text_of(row, ("system",)), "system"), said)


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row is a chat in one text."""
    chat = row.get("chat")
    return isinstance(chat, str) and "system" in row and "USER:" in chat


def _said(speaker: str, text: str) -> Said:
    text = text.replace(END, "").strip()
    if speaker != "ASSISTANT":
        return Said("user" if speaker == "USER" else "tool", text)
    before, mark, call = text.partition(CALL)
    return Said("assistant", before.strip(), (_call(call),)) if mark else Said("assistant", text)


def _call(text: str) -> ToolCall:
    found = FORM.match(text.strip())
    if found is None:
        raise RowError("chat", f"unparsable call: not JSON, got {text.strip()[:60]!r}")
    arguments = (found["arguments"] or "").strip()
    if arguments[:1] == "'" and arguments[-1:] == "'":
        arguments = arguments[1:-1].replace("\\'", "'")
    return make_call("chat", found["name"], arguments)


FORMAT = Format("glaive", "glaive", matches, convert)
