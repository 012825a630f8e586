"""BFCL's function documents as its own prompts offer them.

The benchmark tells the model which language a function is written in, and asks for Java and JavaScript arguments as
text in that language: the declared type then stands in the description. The wording of these additions is part of
the benchmark's prompt and is kept as it is.
"""

import json
from collections.abc import Mapping
from typing import Any

from components.ingest.rows import RowError
from components.scoring.bfcl.languages import LANGUAGES, told_language

LISTS = {"Java": ("Array", "ArrayList"), "JavaScript": ("array",)}
NOT_TEXT = "they are not in string representation."


def prompted_function(function: object, group: str) -> dict[str, Any]:
    """One function document with what the prompt of `group` adds to it; BFCL's type names are kept.

    Raises:
        RowError: it is no function document.
    """
    if not isinstance(function, Mapping) or not isinstance(function.get("parameters"), Mapping):
        raise RowError("function", "expected a function with parameters")
    language = LANGUAGES.get(group, "Python")
    about = told_language(function.get("description", ""), group)
    parameters = dict(function["parameters"])
    if language != "Python":
        properties = parameters.get("properties") or {}
        if not isinstance(properties, Mapping):
            raise RowError("function", "expected an object of properties")
        parameters["properties"] = {name: _as_text(one, language) for name, one in properties.items()}
    return {**function, "description": about, "parameters": parameters}


def _as_text(schema: object, language: str) -> dict[str, Any]:
    """A parameter that takes text in the language; what it stands for moves into its description."""
    if not isinstance(schema, Mapping):
        raise RowError("function", "expected a schema for each parameter")
    kept, kind = dict(schema), schema.get("type")
    about = str(schema.get("description", ""))
    if kind == "any":
        about += f" This parameter can be of any type of {language} object in string representation."
    else:
        about += f" This is {language} {kind} type parameter in string representation."
    items = kept.pop("items", None) if kind in LISTS[language] else None
    if isinstance(items, Mapping):
        about += f" The list elements are of type {items.get('type')}; {NOT_TEXT}"
    inside = kept.pop("properties", None) if language == "JavaScript" and kind == "dict" else None
    if inside is not None:
        about += f" The dictionary entries have the following schema; {NOT_TEXT} {json.dumps(inside)}"
    return {**kept, "description": about, "type": "string"}
