"""API-Bank, levels 1 and 2: a dialogue in text, and the API request that comes next.

    {"file": "AddAgenda-level-1-1.jsonl", "id": 0,
     "instruction": "\\nGenerate an API request ...\\n\\nAPI descriptions:\\n{\\"name\\": \\"AddAgenda\\", ...}",
     "input": "User: Add a meeting.\\nAI: Sure.\\nGenerate API Request:\\n",
     "expected_output": "API-Request: [AddAgenda(content='Meeting', time='2023-03-18 14:00:00')]"}

Earlier requests stand in the dialogue as `API-Request: [...]->reply`. The tools that a ToolSearcher's reply
describes are offered from then on, so level 2's golds name offered tools. What the AI says last, before
the request, is the thought of the gold's turn. The reference has the earlier requests, for execution.
"""

import re
from collections.abc import Mapping, Sequence

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_dialects import normalise_tool
from components.contracts.tool_schemas import ToolSchema, find_tool, tool_name
from components.ingest.call_texts import python_calls, read_object
from components.ingest.fields import first_present, text_of
from components.ingest.formats.base import Format
from components.ingest.formats.tool_lists import tools_in
from components.ingest.rows import Exchange, RowError, Said
from components.scoring.api_bank.reference import reference_of

MARK = "API descriptions:"
ASKS = "Generate API Request:"
LINE = re.compile(r"^(User|AI|API-Request):[ \t]*", re.MULTILINE)
QUOTED_LIST = re.compile(r"(=\s*)'(\[.*?\])'(?=\s*[,)])")  # attendees='['Ann', 'Bo']': the set's slip
LEVEL = re.compile(r"level[-_ ]?([123])", re.IGNORECASE)
GOLDS = ("expected_output", "output")


def convert(row: Mapping[str, object]) -> Exchange:
    """The dialogue with the expected request at its end."""
    tools = list(tools_in(text_of(row, ("instruction",)).partition(MARK)[2], "instruction"))
    said: list[Said] = []
    text = text_of(row, ("input",)).removesuffix(ASKS)
    found = list(LINE.finditer(text))
    if not found:
        raise RowError("input", "expected User: and AI: at the beginning of lines")
    for one, following in zip(found, [*(other.start() for other in found[1:]), len(text)], strict=True):
        content = text[one.end() : following].strip()
        if one[1] == "API-Request":
            request, _, reply = content.partition("]->")
            said.append(Said("assistant", "", _calls("input", request + "]", tools)))
            said.append(Said("tool", reply.strip()))
            tools += [tool for tool in _found(reply) if find_tool(tools, tool_name(tool)) is None]
        else:
            said.append(Said("user" if one[1] == "User" else "assistant", content))
    gold_field = first_present(row, GOLDS) or GOLDS[0]
    gold = text_of(row, (gold_field,)).removeprefix("API-Request:").strip()
    earlier = [call for one in said for call in one.calls]
    said.append(Said("assistant", "", _calls(gold_field, gold, tools)))
    return Exchange(tuple(tools), tuple(said), only_last=True, reference=reference_of(earlier))


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row describes APIs and expects a request."""
    instruction = row.get("instruction")
    return isinstance(instruction, str) and MARK in instruction and first_present(row, GOLDS) is not None


def kind_of(file: str) -> str:
    """The level in the file's name."""
    found = LEVEL.search(file)
    return f"api_bank_{found[1]}" if found else ""


def _calls(field: str, text: str, tools: Sequence[ToolSchema]) -> tuple[ToolCall, ...]:
    try:
        return python_calls(field, text, tools)
    except RowError:
        if not QUOTED_LIST.search(text):
            raise
        return python_calls(field, QUOTED_LIST.sub(r"\1\2", text), tools)


def _found(reply: str) -> list[ToolSchema]:
    """The tools that a reply describes; none when it is any other reply."""
    try:
        value = read_object("input", reply)
    except RowError:
        return []
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(one, Mapping) and "input_parameters" in one for one in listed):
        return []
    try:
        return [normalise_tool(one) for one in listed]
    except InputError as error:
        raise RowError("input", f"a tool found in the dialogue can't be read: {error}") from error


FORMAT = Format("api_bank", "api_bank", matches, convert, kind_of=kind_of)
