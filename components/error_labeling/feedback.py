"""Foreign feedback, which has words but no codes, mapped to the taxonomy (MAE: TL-Training, Section 3.1).

Structured replies are read by their error keys; others by how the text begins, so that a text *about*
errors is not taken for one. What only says "failed" is explained by the offered tools' schemas where these
can tell. A reply that is content in the shape of an error (a translated error message) can't be told apart.
"""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema, find_tool, tool_parameters, validate_call
from components.error_labeling.feedback_patterns import (
    ARTICLE,
    BARE,
    BARE_PREFIX,
    CATEGORIES,
    MARKED_BY_NAME,
    MARKERS,
    PROSE,
    STATUS,
    TELLTALES,
    TERSE,
    TERSE_START,
)

MARKED_CHARACTERS = 600  # of a marked message are read; a bare one may have BARE_CHARACTERS in all
BARE_CHARACTERS = 300
TERSE_CHARACTERS = 120
STRUCTURED_CHARACTERS = 20_000
PARAMETER_CATEGORIES = tuple(
    one for one in CATEGORIES if one[0].value.endswith(("_hallucination", "missing_parameter"))
)
_ERROR_KEY = re.compile(
    r"(?:error|errors|exception|err|fault|traceback|error_?(?:message|msg|code|type|detail|description))s?"
)
_STATUS_KEYS = frozenset(
    {"status", "status_code", "statuscode", "code", "http_status", "http_code", "error_code", "errorcode"}
)
_OUTCOME_KEYS = ("status", "result", "state", "outcome", "type", "code")
_WORD_KEYS = (
    "message",
    "msg",
    "detail",
    "details",
    "description",
    "reason",
    "title",
    "text",
    "type",
    "code",
    "cause",
    "hint",
)
_ENVELOPE = frozenset(
    {
        *_STATUS_KEYS, *_WORD_KEYS, "success", "ok", "succeeded", "result", "state", "outcome", "request_id",
        "requestid", "timestamp", "time", "path", "instance", "param", "loc", "errors_count", "retry_after", "help",
        "documentation_url", "doc_url", "trace_id", "id", "jsonrpc", "tool", "function", "name", "kind", "object",
        "parameter", "field", "argument", "input", "value", "info", "req_method", "level", "severity", "service", "domain", "url", "headers", "method",
    }
)  # fmt: skip
_NOTHING = (None, "", 0, False, "none", "null", "no", "ok", "0", "false", "success", "no error", "n/a")
_FAILED_WORDS = frozenset(
    {"error", "fail", "failed", "failure", "exception", "timeout", "timed_out", "rejected", "denied"}
)


def classify_feedback(
    reply_text: str, call: ToolCall | None, tools: Sequence[ToolSchema]
) -> ToolError | None:
    """What went wrong by the reply's text; None when it reads as a result.

    call: None when no call could be parsed. tools: those offered; they explain a failure, never make one.
    """
    text = reply_text.strip()
    value = _structure(text)
    if isinstance(value, Mapping):
        found = _structured(value, call, tools)
    elif value is None:
        found = _echoed_key(text, call) or _plain(text, call, tools, known=False)
    else:
        return None  # a list, a number, a quoted text: content
    if found is not ToolError.TOOL_CALL_FAILURE:
        return found
    if call is None:
        return ToolError.PARSE_FAILURE
    return (validate_call(call, tools) if tools else None) or found


def _structure(text: str) -> object:
    """The JSON value or Python literal that the whole text is; None when it is neither."""
    if not text or text[0] not in "{[" or len(text) > STRUCTURED_CHARACTERS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _structured(
    value: Mapping[Any, Any], call: ToolCall | None, tools: Sequence[ToolSchema]
) -> ToolError | None:
    """A reply that is an object: only its top level may say that it is an error."""
    fields = {str(key).lower(): one for key, one in value.items()}
    named = {key: one for key, one in fields.items() if _ERROR_KEY.fullmatch(key) and not _is_nothing(one)}
    payload = [key for key, one in fields.items() if key not in _ENVELOPE and key not in named and one]
    status = next((code for key in fields if key in _STATUS_KEYS and (code := _status(fields[key]))), None)
    says_failed = any(
        str(fields.get(key)).lower() in _FAILED_WORDS
        for key in ("status", "result", "state", "outcome", "type", "code")
    )
    refused = any(
        str(fields[key]).lower() == "false" for key in ("success", "ok", "succeeded") if key in fields
    )
    words = ". ".join(
        [*(_words(one) for one in named.values()), *(_words(fields[k]) for k in _WORD_KEYS if k in fields)]
    )
    if (
        named
        and all(isinstance(one, int | float) for one in named.values())
        and not (status or refused or says_failed)
    ):
        named = {}  # a number called "error" is a measurement
    invalid = any(isinstance(one, list) and one and _is_located(one[0]) for one in fields.values())
    if not (named or status or refused or says_failed or invalid):
        return None if payload else _plain(words, call, tools, known=False)
    said = " ".join(
        str(fields[key]) for key in _OUTCOME_KEYS if str(fields.get(key)).lower() in _FAILED_WORDS
    )
    found = _category(_normalised(f"{words} {said}".strip(), call, tools))
    slug = any(isinstance(one, str) and re.fullmatch(r"[a-z]+(?:[_-][a-z]+)+", one) for one in named.values())
    if payload and not refused and not slug and found is None:
        return None  # a result with a field of that name
    return (
        found
        or (STATUS.get(status) or (ToolError.TOOL_INSTABILITY if status >= 500 else None) if status else None)
        or (ToolError.TOOL_CALL_FAILURE)
    )


def _plain(text: str, call: ToolCall | None, tools: Sequence[ToolSchema], *, known: bool) -> ToolError | None:
    """A reply that is text: marked as an error at its beginning, or a short sentence that states a failure."""
    if text.lower().startswith("traceback (most recent call last)"):
        text = "Error: " + text.rstrip().rpartition("\n")[2]
    normalised = _normalised(text[:MARKED_CHARACTERS], call, tools)
    prefix = BARE_PREFIX.match(normalised)
    starts = {0, prefix.end() if prefix else 0}
    marked = any(MARKERS.match(normalised, start) for start in starts)
    if marked:
        category = _category(normalised)
        named = MARKED_BY_NAME.match(normalised) is not None
        titled = PROSE.search(text) is not None
        if ARTICLE.search(normalised[:200]) and (category is None or titled or not named):
            return None
        return category or ToolError.TOOL_CALL_FAILURE
    if len(text) > BARE_CHARACTERS or ARTICLE.search(normalised) or PROSE.search(text):
        return None
    category = _category(normalised)
    if any(pattern.match(normalised, start) for pattern in BARE for start in starts):
        return category or ToolError.TOOL_CALL_FAILURE
    said = any(pattern.match(normalised, start) for _, pattern in PARAMETER_CATEGORIES for start in starts)
    told = TELLTALES.search(normalised) or (
        len(text) <= TERSE_CHARACTERS and (TERSE.search(normalised) or TERSE_START.match(normalised))
    )
    return (category or ToolError.TOOL_CALL_FAILURE) if said or told else None


def _category(text: str) -> ToolError | None:
    """The first category whose words a message of failure has."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    return next((error for error, pattern in CATEGORIES if pattern.search(words)), None)


def _normalised(text: str, call: ToolCall | None, tools: Sequence[ToolSchema]) -> str:
    """The text with the call's tool as TOOL, its parameters as PARAM, CamelCase and snake_case as words."""
    if call is None:
        return _spaced(text)
    tool = find_tool(tools, call.name)
    parameters = {*call.arguments, *(tool_parameters(tool) if tool else {})}
    names = {name: "PARAM" for name in parameters if name} | ({call.name: "TOOL"} if call.name else {})
    if names:
        longest = sorted(names, key=len, reverse=True)
        pattern = r"(?<!\w)(?:" + "|".join(map(re.escape, longest)) + r")(?!\w)"
        text = re.sub(pattern, lambda match: names[match.group()], text)
    return _spaced(text)


def _spaced(text: str) -> str:
    return re.sub(r"(?<=[A-Za-z])_(?=[A-Za-z])", " ", text).strip()


def _words(value: object) -> str:
    """The words in an error field: its text, or those of the object or list that it holds."""
    if isinstance(value, Mapping):
        return ". ".join(_words(one) for one in value.values() if isinstance(one, str | list | dict))
    if isinstance(value, list):
        return ". ".join(_words(one) for one in value[:5])
    return value[:MARKED_CHARACTERS] if isinstance(value, str) else ""


def _is_nothing(value: object) -> bool:
    return value in ([], {}) or (value.lower() if isinstance(value, str) else value) in _NOTHING


def _is_located(value: object) -> bool:
    """One finding of a validation, such as FastAPI's: where, and what was wrong."""
    return isinstance(value, Mapping) and "loc" in value and "msg" in value


def _status(value: object) -> int | None:
    """An HTTP status of failure, as a number or as digits."""
    if isinstance(value, str) and value.isdigit() and len(value) == 3:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600 else None


def _echoed_key(text: str, call: ToolCall | None) -> ToolError | None:
    """`str(KeyError(k))` is nothing but the quoted key: an argument, or a name that the tool looked up."""
    bare = re.fullmatch(r"'([^'\s]{1,80})'", text)
    if not bare or call is None:
        return None
    if bare.group(1) in {str(value) for value in call.arguments.values()}:
        return ToolError.WRONG_TYPE_OR_VALUE
    return ToolError.TOOL_CALL_FAILURE if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", bare.group(1)) else None


# The substrings of the authors' released code (github.com/Junjie-Ye/TL-Training, code/mae/mae.py).
LEGACY_SUBSTRINGS = (
    "is not defined",
    "positional argument",
    "unexpected keyword",
    "'related_searches'",
    "ConnectionError",
    '"error":',
    "not supported",
    "Invalid API call",
    "Response error",
    "Object of type SerpResults is not JSON serializable",
    "400 Client Error",
    "'error'",
    "slice indices must be integers or None or have an __index__ method",
    "connection error",
)


def _legacy_form(text: str) -> str:
    """Lowercase alphanumerics, CJK and (a slip of the reference's character class) carets only."""
    return re.sub(r"[^\u4e00-\u9fa5^a-zA-Z0-9]", "", text).lower()


_LEGACY = tuple(dict.fromkeys(_legacy_form(one) for one in LEGACY_SUBSTRINGS))


def legacy_is_error(text: str) -> bool:
    """The reference's rule: one of 14 substrings after stripping. "error" is one: "terror" is flagged."""
    stripped = _legacy_form(text)
    return any(one in stripped for one in _LEGACY)
