"""Rows of BFCL's groups as what is judged: the prompt as the benchmark has it, and the reference of its checker.

    {"id": "simple_python_0", "question": [[{"role": "user", "content": "..."}]], "function": [{...}],
     "ground_truth": [{"calculate_triangle_area": {"base": [10], "height": [5], "unit": ["units", ""]}}]}

`ground_truth` comes from `possible_answer` (`companions`); relevance and irrelevance have none.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.records import Question
from components.ingest.bfcl_functions import prompted_function
from components.ingest.bfcl_golds import first_calls
from components.ingest.call_texts import python_calls
from components.ingest.fields import optional_text
from components.ingest.formats.bfcl import messages_of
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Exchange, RowError, Said
from components.scoring.bfcl.ast_check import check_types
from components.scoring.bfcl.multi_turn_rows import multi_turn_question
from components.scoring.bfcl.reference import (
    EXECUTABLE_GROUPS,
    IRRELEVANCE_GROUPS,
    RELEVANCE_GROUPS,
    BfclReference,
)

WITHOUT_ANSWERS = (*IRRELEVANCE_GROUPS, *RELEVANCE_GROUPS)


def bfcl_exchange(row: Mapping[str, object], group: str) -> Exchange:
    """A single-turn row of `group`, its first accepted turn as the gold.

    Raises:
        RowError: no messages or functions, a function that is no JSON schema or of types
            that BFCL has not, or no answers where the group has some.
    """
    said, functions = messages_of(row), row.get("function")
    if not isinstance(functions, list):
        raise RowError("function", "expected a list of functions")
    prompted = [prompted_function(one, group) for one in functions]
    tools = offered_tools(prompted, "function") if prompted else ()
    answers = row.get("ground_truth")
    if group in WITHOUT_ANSWERS:
        answers = []
    elif not isinstance(answers, list) or not answers:
        raise RowError("ground_truth", "missing, expected a file of this name in possible_answer")
    reference = BfclReference(group=group, possible_answers=tuple(answers), functions=tuple(functions))
    values: dict[str, Any] = {"id": optional_text(row, "id"), "reference": reference.to_json()}
    if group in WITHOUT_ANSWERS:
        return Exchange(tools, tuple(said), **values)
    if group in EXECUTABLE_GROUPS:
        calls = tuple(
            call for text in map(str, answers) for call in python_calls("ground_truth", text, tools)
        )
    else:
        try:
            check_types(reference)
        except InputError as error:
            raise RowError("function", str(error)) from error
        calls = first_calls(answers, functions, group)
    return Exchange(tools, (*said, Said("assistant", "", calls)), only_last=True, **values)


def bfcl_conversation(row: Mapping[str, object], package: Path) -> Question:
    """A multi-turn row. package: the folder above `data`, for the descriptions of the functions.

    Raises:
        RowError: a field is missing, or the package lacks a file.
    """
    try:
        return multi_turn_question(row, row.get("ground_truth"), package)
    except InputError as error:
        raise RowError("row", str(error)) from error
