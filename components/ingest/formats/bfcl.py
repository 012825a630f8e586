"""BFCL's executable sets: questions and, in a file of the same name in `possible_answer`, their calls.

    {"id": "exec_simple_0", "question": [[{"role": "user", "content": "What are the odds of five sixes?"}]],
     "function": [{"name": "calc_binomial_probability", "description": "...", "parameters": {"type": "dict",
       "properties": {"n": {"type": "integer"}, "p": {"type": "float"}}, "required": ["n", "p"]}}],
     "ground_truth": ["calc_binomial_probability(n=20, p=0.6)"]}

`companions` puts `ground_truth` into the row. Sets whose ground truth is not a list of calls in Python's
syntax (the AST sets' tables of allowed values, the REST set's replies) are set aside: those are judged as `suites`.
"""

import re
from collections.abc import Mapping

from components.ingest.call_texts import python_calls
from components.ingest.fields import optional_text
from components.ingest.formats.base import Format
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Exchange, RowError, Said

NUMBER = re.compile(r"[_-]\d[\d_-]*$")


def convert(row: Mapping[str, object]) -> Exchange:
    """The question with its calls as the gold."""
    said = messages_of(row)
    tools = offered_tools(row.get("function"), "function")
    golds = row.get("ground_truth")
    if golds is None:
        raise RowError("ground_truth", "missing, expected a file of this name in possible_answer")
    if not isinstance(golds, list) or not all(isinstance(one, str) for one in golds):
        raise RowError(
            "ground_truth", "expected a list of calls in Python's syntax; name other groups in ingest.suites"
        )
    calls = tuple(call for text in golds for call in python_calls("ground_truth", text, tools))
    name = optional_text(row, "id")
    kind = f"bfcl_{NUMBER.sub('', name)}" if name else ""
    return Exchange(tools, (*said, Said("assistant", "", calls)), only_last=True, id=name, kind=kind)


def messages_of(row: Mapping[str, object]) -> list[Said]:
    """The messages of the row's only turn.

    Raises:
        RowError: several turns, or something that is no message.
    """
    turns = row.get("question")
    messages = turns[0] if isinstance(turns, list) and turns and isinstance(turns[0], list) else turns
    if not isinstance(messages, list) or not all(isinstance(one, Mapping) for one in messages):
        raise RowError("question", "expected a list of turns, each a list of messages")
    if messages is not turns and isinstance(turns, list) and len(turns) > 1:
        raise RowError("question", "several turns of the user, expected one")
    return [_said(one) for one in messages]


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has a question in turns and its functions."""
    return isinstance(row.get("question"), list) and "function" in row


def _said(message: Mapping[str, object]) -> Said:
    role, content = message.get("role"), message.get("content")
    if not isinstance(content, str):
        raise RowError("question", f"expected a message with text, got {type(content).__name__}")
    match role:
        case "system" | "user" | "assistant":
            return Said(role, content.strip())
    raise RowError("question", f"expected a message of the user, got {role!r}")


FORMAT = Format("bfcl", "bfcl", matches, convert)
