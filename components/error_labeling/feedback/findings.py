"""Findings of validators: objects that say which field is wrong and why."""

from collections.abc import Mapping
from typing import Any


def is_finding(value: object) -> bool:
    """One finding of a validation, such as pydantic's or zod's: where, and what was wrong."""
    if not isinstance(value, Mapping):
        return False
    keys = {str(key).lower() for key in value}
    return bool(keys & {"msg", "message"}) and bool(
        keys & {"loc", "path", "field", "param", "instancepath", "schemapath", "keyword"}
    )


def field_complaints(value: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """(field, words) of an object that maps fields to lists of short texts, as Django's findings do."""
    pairs = [(str(key), one) for key, one in value.items()]
    if not pairs or len(pairs) > 8:
        return []
    if all(
        isinstance(one, list) and one and all(isinstance(text, str) and len(text) < 200 for text in one)
        for _, one in pairs
    ):
        return [(key, " ".join(one)) for key, one in pairs]
    return []
