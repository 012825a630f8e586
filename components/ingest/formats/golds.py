"""Ingest's own questions that bring tools, as train.jsonl and held_out.jsonl have them.

{"id": "exec_simple_0", "text": "What are the odds?", "kind": "bfcl_exec_simple", "history": [],
 "offered": "[{\\"type\\": \\"function\\", \\"function\\": {\\"name\\": \\"calc\\", ...}}]",
 "golds": [[{"name": "calc", "arguments": {"n": 20}}]]}
"""

import json
from collections.abc import Mapping

from pydantic import ValidationError

from components.contracts.records import Question
from components.ingest.formats.base import Format
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Exchange, RowError, Said


def convert(row: Mapping[str, object]) -> Exchange:
    """The question with its history and golds."""
    try:
        question = Question.model_validate_json(json.dumps(row, allow_nan=False))
    except (ValidationError, ValueError) as error:
        raise RowError("question", f"expected a question record ({str(error).splitlines()[0]})") from error
    said = [Said(one.role, one.content, name=one.name) for one in question.history]
    if not said or said[-1].role != "tool":  # else the history holds the text already
        said.append(Said("user", question.text))
    if question.golds:
        first, *others = question.golds
        said.append(Said("assistant", "", first, tuple(others)))
    return Exchange(
        offered_tools(question.offered, "offered"),
        tuple(said),
        only_last=bool(question.golds),
        answers=question.answers,
        id=question.id,
        kind=question.kind,
        subject=question.subject,
    )


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row is a question record that brings its tools."""
    return bool(row.get("offered")) and "text" in row


FORMAT = Format("golds", "golds", matches, convert)
