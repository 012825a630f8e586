"""Seal-Tools: a request and the calls it needs.

    {"id": "dev-easy-1", "query": "Retrieve the engagement metrics of the post rOBh.", "calling": [
       {"api": "getSocialMediaEngagement", "parameters": {"platform": "Facebook", "post_id": "rOBh"},
        "responses": ["API_call_0", "API_call_1"]}]}

These rows offer no tools. They are taken from a file `tool.jsonl` beside theirs, as the set is published
(the gold's own and others), or made from the calls of the whole file, see `companions`. The set's fine-tuning form, which has
an `api_list = [...]` in the human's text, brings them along.
"""

import re
from collections.abc import Mapping

from components.contracts.records import ToolCall
from components.ingest.call_texts import make_call, read_object
from components.ingest.companions import INFERRED
from components.ingest.fields import optional_text, text_of
from components.ingest.formats.base import Format
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Exchange, RowError, Said

INFERRED_NOTE = "no tool.jsonl lay beside the file, so tools were made from its calls"
PROMPT = re.compile(
    r"api_list = (?P<tools>\[.*\])\ntask_instruction = (?P<task>.*?)\s*Output:\s*\Z", re.DOTALL
)


def convert(row: Mapping[str, object]) -> Exchange:
    """The request with its calls as the gold."""
    if "calling" in row:
        tools, text, made = row.get("tools"), text_of(row, ("query",)), row["calling"]
        field = "calling"
    else:
        human, made = _turns(row)
        found = PROMPT.search(human)
        if found is None:
            raise RowError("conversations", "expected an api_list and a task_instruction")
        tools, text = read_object("conversations", found["tools"]), found["task"].strip().strip('"')
        field = "conversations"
    if tools is None:
        raise RowError(
            "tools", "no tools are offered, expected a file tool.jsonl beside this one, or 'tools'"
        )
    calls = _calls(field, read_object(field, made) if isinstance(made, str) else made)
    said = (Said("user", text), Said("assistant", "", calls))
    note = INFERRED_NOTE if row.get(INFERRED) else ""
    return Exchange(offered_tools(tools), said, only_last=True, id=optional_text(row, "id"), note=note)


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has a query with its calling, or the fine-tuning form of it."""
    return ("query" in row and "calling" in row) or "api_list = [" in _turns(row)[0]


def _turns(row: Mapping[str, object]) -> tuple[str, object]:
    turns = row.get("conversations")
    if not isinstance(turns, list) or len(turns) < 2 or not all(isinstance(one, Mapping) for one in turns):
        return "", None
    return str(turns[0].get("value")), turns[1].get("value")


def _calls(field: str, made: object) -> tuple[ToolCall, ...]:
    if not isinstance(made, list):
        raise RowError(field, f"unparsable call: expected a list of calls, got {type(made).__name__}")
    found = []
    for one in made:
        if not isinstance(one, Mapping):
            raise RowError(field, f"unparsable call: expected an object, got {type(one).__name__}")
        found.append(make_call(field, one.get("api"), one.get("parameters")))
    return tuple(found)


FORMAT = Format("seal_tools", "seal_tools", matches, convert)
