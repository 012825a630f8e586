"""BFCL's published multi-turn rows as questions.

    {"id": "multi_turn_miss_func_0", "question": [[{"role": "user", "content": "..."}], ..., []],
     "initial_config": {...}, "involved_classes": ["TwitterAPI", "GorillaFileSystem"],
     "missed_function": {"3": ["sort"]}, "excluded_function": ["cp"]}

and, in the file of that name under `possible_answer`, {"id": ..., "ground_truth": [["cd(folder='a')"], ...]}.
A turn without a message is that in which held-out functions are first offered; what the user then says is read
from the package as the benchmark has it.
"""

import ast
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pydantic import JsonValue, ValidationError

from components.contracts.errors import InputError
from components.contracts.records import Question
from components.contracts.tool_dialects import normalise_tools
from components.contracts.tool_schemas import tool_name
from components.scoring.bfcl.api_classes import CLASS_MODULES, documented_functions
from components.scoring.bfcl.languages import told_language
from components.scoring.bfcl.multi_turn_reference import BfclMultiTurn

ANNOUNCEMENT = "DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC"
_NUMBER = re.compile(r"_\d+$")


def multi_turn_question(row: Mapping[str, object], ground_truth: object, package: Path) -> Question:
    """One row with its ground truth as a question.

    ground_truth: the row's `ground_truth` from `possible_answer`. package: the unpacked `bfcl_eval` folder, for the
    functions' descriptions.

    Raises:
        InputError: a field is missing or of another form, or the package lacks a file; the row is named.
    """
    name = str(row.get("id", ""))
    classes = row.get("involved_classes")
    turns = row.get("question")
    if not isinstance(classes, list) or not isinstance(turns, list):
        raise InputError(f"{name or 'row'}: expected the lists question and involved_classes")
    if unknown := [one for one in classes if one not in list(CLASS_MODULES)]:
        raise InputError(f"{name}: involved_classes: {unknown[0]!r} is none of {', '.join(CLASS_MODULES)}")
    missed = row.get("missed_function") or {}
    lists = missed.values() if isinstance(missed, Mapping) else ()
    held = [one for names in lists if isinstance(names, list) for one in names]
    group = _NUMBER.sub("", name)
    # The benchmark tells the language of the functions that are offered from the beginning, of the others not.
    tools = normalise_tools(
        [
            function
            if function["name"] in held
            else {**function, "description": told_language(function.get("description", ""), group)}
            for one in classes
            for function in documented_functions(package, one)
        ]
    )
    fields = {
        "group": group,
        "involved_classes": classes,
        "initial_config": row.get("initial_config"),
        "user_turns": [_said(turn, f"{name}: question[{at}]", package) for at, turn in enumerate(turns)],
        "ground_truth": ground_truth,
        "missed": missed,
        "held_out": json.dumps([tool for tool in tools if tool_name(tool) in held], ensure_ascii=False),
    }
    try:
        reference = BfclMultiTurn.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{name}: {'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}") from None
    return Question(
        id=name,
        text=reference.user_turns[0],
        kind=f"bfcl_{group}",
        offered=json.dumps([tool for tool in tools if tool_name(tool) not in held], ensure_ascii=False),
        suite=f"bfcl:{group}",
        reference=reference.to_json(),
    )


def _said(turn: object, where: str, package: Path) -> str:
    """The text of one user turn."""
    if turn == []:
        return _announcement(package)
    if isinstance(turn, list) and len(turn) == 1 and isinstance(turn[0], Mapping):
        role, content = turn[0].get("role"), turn[0].get("content")
        if role == "user" and isinstance(content, str):
            return content
    raise InputError(f"{where}: expected one message of the user, or none where functions are first offered")


@lru_cache(maxsize=4)
def _announcement(package: Path) -> str:
    """What the user says when held-out functions are offered: a text constant of the package, never imported."""
    path = package / "constants" / "default_prompts.py"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as error:
        raise InputError(f"{path}: {error}; expected the bfcl-eval package's prompts") from None
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == ANNOUNCEMENT for target in node.targets
        ):
            value: JsonValue = ast.literal_eval(node.value)
            if isinstance(value, str):
                return value
    raise InputError(f"{path}: no text named {ANNOUNCEMENT}")
