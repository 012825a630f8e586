"""xLAM / APIGen, and Hammer's flat rows: a query, its tools, and the calls that answer it.

    {"id": 0, "query": "Where can I find live giveaways for beta access?",
     "tools": "[{\\"name\\": \\"live_giveaways_by_type\\", \\"description\\": \\"...\\", \\"parameters\\":
       {\\"type\\": {\\"description\\": \\"...\\", \\"type\\": \\"str\\", \\"default\\": \\"game\\"}}}]",
     "answers": "[{\\"name\\": \\"live_giveaways_by_type\\", \\"arguments\\": {\\"type\\": \\"beta\\"}}]"}

Tools and answers are lists, or lists as JSON in text.
"""

import json
from collections.abc import Mapping

from components.ingest.call_texts import json_calls
from components.ingest.fields import optional_text, text_of
from components.ingest.formats.base import Format
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Exchange, RowError, Said


def convert(row: Mapping[str, object]) -> Exchange:
    """The query with its calls as the gold."""
    text = text_of(row, ("query",))
    tools = offered_tools(row.get("tools"))
    answers = row.get("answers")
    if answers is None:
        raise RowError("answers", "missing, expected a list of calls")
    calls = json_calls("answers", answers)
    return Exchange(
        tools,
        (Said("user", text), Said("assistant", "", calls)),
        only_last=True,
        id=optional_text(row, "id") and f"xlam-{optional_text(row, 'id')}",
        kind=optional_text(row, "kind"),
    )


def matches(row: Mapping[str, object]) -> bool:
    """Whether the answers are calls."""
    if not {"query", "tools", "answers"} <= row.keys():
        return False
    answers = row["answers"]
    if isinstance(answers, str):
        try:
            answers = json.loads(answers)
        except (ValueError, RecursionError):
            return False
    return isinstance(answers, list) and all(isinstance(one, Mapping) and "name" in one for one in answers)


def kind_of(file: str) -> str:
    """ToolAlpaca's questions in this form keep their suite's name."""
    return "toolalpaca" if "toolalpaca" in file.lower() else ""


FORMAT = Format("xlam", "xlam", matches, convert, kind_of=kind_of)
