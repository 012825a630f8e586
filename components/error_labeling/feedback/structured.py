"""Replies that are data: their error keys, statuses and outcome flags, before any words."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.contracts.tool_errors import ToolError
from components.error_labeling.feedback.findings import is_finding
from components.error_labeling.feedback.keys import (
    ECHOED,
    ENVELOPE,
    ERROR_KEY,
    FAILED_WORDS,
    FAILURE_NAME,
    MEASURED_KEY,
    NAME_KEYS,
    NOTHING_VALUES,
    OUTCOME_KEYS,
    RPC_CODES,
    RPC_FAILURES,
    SAID_KEYS,
    STATUS,
    STATUS_KEYS,
    WORD_KEYS,
    WRAPPERS,
)

STRUCTURED_CHARACTERS = 20_000  # a longer reply is content
WORD_CHARACTERS = 600  # of a field are read


@dataclass(frozen=True)
class Reading:
    """What the structure of a reply says.

    failed: by a key, a status or a flag. certain: the whole reply is about the failure. words: texts that a
    category or, when
    not failed, a complaint may be read from. coded: a status of failure beside an error key. category: from
    a status or code alone. only_words: nothing but words is there. numbered: beside a code that is no success's.
    """

    failed: bool
    certain: bool
    words: str
    category: ToolError | None
    only_words: bool
    coded: bool
    numbered: bool


def parse_structure(text: str) -> object:
    """The JSON value or Python literal that the whole text is; None when it is neither."""
    if not text or text[0] not in '{["' or len(text) > STRUCTURED_CHARACTERS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text) if text[0] in "{[" else None
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def read_object(value: Mapping[Any, Any], depth: int = 0) -> Reading:
    """Read a reply that is an object: its top level, or that of a wrapper, may say that it is an error."""
    fields = {_plain_key(str(key)): one for key, one in value.items()}
    inside = _read_inside(fields, depth) if depth < 3 else None
    if inside is not None:
        return inside
    named = {
        key: one
        for key, one in fields.items()
        if ERROR_KEY.fullmatch(key) and not MEASURED_KEY.fullmatch(key) and not _is_nothing(one)
    }
    codes = _codes(fields, named)
    status = next((code for code in codes if 400 <= code < 600), None) if _codes(fields, {}) else None
    said = [str(fields[key]) for key in OUTCOME_KEYS if str(fields.get(key)).lower() in FAILED_WORDS]
    refused = _is_refused(fields) or any(code in RPC_FAILURES for code in codes)
    if all(_is_number(one) for one in named.values()) and not (status or refused or said):
        named = {}  # a number called "error" is a measurement
    located = any(isinstance(one, list) and one and is_finding(one[0]) for one in fields.values())
    others = [
        key for key, one in fields.items() if key not in ENVELOPE and not ERROR_KEY.fullmatch(key) and one
    ]
    if others:  # a thing that was asked for may be unavailable, too
        said = [one for one in said if one != "unavailable"]
    elif not said:
        said = [str(one) for key in NAME_KEYS if FAILURE_NAME.fullmatch(str(one := fields.get(key)))]
    return Reading(
        failed=bool(named or status or refused or said or located),
        certain=not others or refused or any(_is_slug(one) for one in named.values()),
        words=". ".join(filter(None, (_all_words(fields, named), *said))),
        category=next((found for one in codes if (found := _of_code(one))), None),
        only_words=not others
        and not fields.keys() - ENVELOPE - SAID_KEYS
        and not fields.keys().isdisjoint(SAID_KEYS),
        coded=bool(named and status),
        numbered=any(not 0 <= code < 400 for code in codes),
    )


def _read_inside(fields: Mapping[str, Any], depth: int) -> Reading | None:
    """The failure that a wrapper such as `{"response": {...}}` holds, or all items of a wrapped list."""
    wrapped = {key: one for key, one in fields.items() if one and (key in WRAPPERS or key == "status")}
    objects = [one for one in wrapped.values() if isinstance(one, Mapping)]
    if objects and len(wrapped) == len([one for one in fields.values() if one]):
        found = read_object(objects[0], depth + 1)
        if found.failed:
            return found
    lists = [one for one in wrapped.values() if isinstance(one, list)]
    if len(lists) == 1 and all(isinstance(one, Mapping) for one in lists[0]):
        items = [read_object(one, depth + 1) for one in lists[0][:20]]
        if all(one.failed and (one.certain or one.coded) for one in items):
            return items[0]
    return None


def _codes(fields: Mapping[str, Any], named: Mapping[str, Any]) -> list[int]:
    """Statuses and codes: those inside an error's object first."""
    inner = [
        one.get(key)
        for one in named.values()
        if isinstance(one, Mapping)
        for key in ("code", "status", "status_code")
    ]
    outer = [one for key, one in fields.items() if key in STATUS_KEYS]
    return [code for one in (*inner, *outer) if (code := _number(one)) is not None]


def _is_refused(fields: Mapping[str, Any]) -> bool:
    """A flag says that there was no success."""
    lowered = {key: str(one).lower() for key, one in fields.items() if isinstance(one, bool | str)}
    return any(lowered.get(key) == "false" for key in ("success", "ok", "succeeded", "response")) or any(
        lowered.get(key) == "true" for key in ("iserror", "is_error", "failed")
    )


def _all_words(fields: Mapping[str, Any], named: Mapping[str, Any]) -> str:
    rest = [_words(fields[key]) for key in (*WORD_KEYS, *WRAPPERS) if key in fields and key not in named]
    return ". ".join(filter(None, [*(_said(key, one) for key, one in named.items()), *rest]))


def _plain_key(key: str) -> str:
    """A key in lower case, without the one underscore that some services put before their own keys."""
    key = key.lower()
    return key if key.startswith("__") else key.removeprefix("_")


def _is_slug(value: object) -> bool:
    """An error's name such as `channel_not_found`."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z]+(?:[_-][A-Za-z]+)+", value) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_list(value: Sequence[Any]) -> str:
    """The words of a list of findings such as a validator's; empty when it is anything else."""
    if value and all(is_finding(one) for one in value):
        return _words(list(value))
    return ""


def _words(value: object, depth: int = 0) -> str:
    """The words in a field: its text, or those of the object or list that it holds."""
    if isinstance(value, Mapping):
        return (
            ". ".join(
                f"{key} {one}"
                if key in ("received", "expected") and isinstance(one, str)
                else _words(one, depth + 1)
                for key, one in value.items()
                if isinstance(one, str | list | dict) and key not in ECHOED
            )
            if depth < 4
            else ""
        )
    if isinstance(value, list):
        return ". ".join(_words(one, depth + 1) for one in value[:5]) if depth < 4 else ""
    return value[:WORD_CHARACTERS] if isinstance(value, str) else ""


def _said(key: str, value: object) -> str:
    """The words of an error field; its name is among them where it says more than "error"."""
    more = re.match(r"missing|invalid|unknown|unexpected|unrecogni|extra|bad|illegal|unsupported", key)
    return f"{key.replace('_', ' ')} {_words(value)}" if more else _words(value)


def _is_nothing(value: object) -> bool:
    return value in ([], {}) or (value.lower() if isinstance(value, str) else value) in NOTHING_VALUES


def _number(value: object) -> int | None:
    """A status as a number or as digits."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{3,5}", value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _of_code(code: int) -> ToolError | None:
    known = RPC_CODES.get(code) or STATUS.get(code)
    return known or (ToolError.TOOL_INSTABILITY if 500 <= code < 600 else None)
