"""Foreign feedback, which has words but no codes, mapped to the taxonomy (MAE: TL-Training, Section 3.1).

Structured replies are read by their error keys; others by how the text begins, so that a text *about*
errors is not taken
for one; short ones also by whether they complain about a call. What the offered tools' schemas say of the
call decides
where the words alone nearly do, and explains what only says "failed". A reply that is content in the shape
of an error (a
translated error message) can't be told apart.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema, validate_call
from components.error_labeling.feedback.categories import category_of
from components.error_labeling.feedback.complaint import COMPLAINT, complaint_points, has_failure_word
from components.error_labeling.feedback.content import REPORT, hide_quotes, last_log_line
from components.error_labeling.feedback.findings import field_complaints
from components.error_labeling.feedback.markers import NAMED, PHRASES, STATUS_LINE, STRONG_NAME
from components.error_labeling.feedback.normalise import hide_values, normalise
from components.error_labeling.feedback.prose import (
    ADVICE,
    ARTICLE,
    CODE,
    EXPLAINED,
    GENERIC,
    NAME_OF_WORK,
    NARRATION,
    PROSE,
    SUCCESS,
    is_essay,
    repeats_title,
)
from components.error_labeling.feedback.structured import (
    STRUCTURED_CHARACTERS,
    parse_structure,
    read_list,
    read_object,
)

MARKED_CHARACTERS = 600  # of a marked message are read
# So many points less are enough where the schemas reject the call, or where nothing but words is there
BORDERLINE = 2.4
_PREFIX = re.compile(
    r"\s*(?:(?:tool|function|api)?[ _-]?(?:result|response|output|observation|reply|message)|output)\s*:\s*",
    re.IGNORECASE,
)
_DISAMBIGUATED = re.compile(
    r"[A-Z][^:(]{2,60} \([a-z][a-z ]+\)"
)  # as encyclopedias tell one title from another
_TITLE = re.compile(r"<(?:title|h1|message|code|string)[^>]*>([^<]+)<", re.IGNORECASE)


def classify_feedback(
    reply_text: str, call: ToolCall | None, tools: Sequence[ToolSchema]
) -> ToolError | None:
    """What went wrong by the reply's text; None when it reads as a result.

    call: None when no call could be parsed. tools: those offered; what they say of the call decides
    borderline texts and
    explains failures, but never makes one of a reply that has no word of failure.
    """
    text = _PREFIX.sub("", reply_text.strip(), count=1).strip()
    objection = validate_call(call, tools) if call is not None and tools else None
    slack = BORDERLINE if objection or call is None else 0.0
    found = _read(text, call, tools, slack)
    if found is not ToolError.TOOL_CALL_FAILURE:
        return found
    return ToolError.PARSE_FAILURE if call is None else objection or found


def _read(text: str, call: ToolCall | None, tools: Sequence[ToolSchema], slack: float) -> ToolError | None:
    value = parse_structure(text)
    if isinstance(value, Mapping):
        return _structured(value, call, tools, slack)
    if isinstance(value, list):
        words = normalise(read_list(value), call, tools)
        return (_category(call, words) or ToolError.TOOL_CALL_FAILURE) if words else None
    if isinstance(value, str) and " " in value:
        return _plain(value, call, tools, slack)
    if value is not None:
        return None
    return _echoed_key(text, call) or _plain(text, call, tools, slack)


def _category(call: ToolCall | None, words: str) -> ToolError | None:
    """The category of words in which what the call said is hidden: a value may read like any failure."""
    return category_of(hide_values(words, call))


def _structured(
    value: Mapping[Any, Any], call: ToolCall | None, tools: Sequence[ToolSchema], slack: float
) -> ToolError | None:
    complaints = field_complaints(value)
    if complaints:
        found = [normalise(f"field {field}: {one}", call, tools) for field, one in complaints]
        if all(complaint_points(one) >= COMPLAINT + 0.5 - slack for one in found):
            return _category(call, ". ".join(found)) or ToolError.TOOL_CALL_FAILURE
    reading = read_object(value)
    words = normalise(reading.words, call, tools)
    if not reading.failed:
        more = slack + (BORDERLINE if reading.numbered else 0.75)
        return _plain(reading.words, call, tools, more) if reading.only_words else None
    category = _category(call, words) or reading.category
    if not reading.certain and category is None:
        return None  # a result with a field of that name
    return category or ToolError.TOOL_CALL_FAILURE


def _plain(text: str, call: ToolCall | None, tools: Sequence[ToolSchema], slack: float) -> ToolError | None:
    """A reply that is text: marked as an error where it begins, or a short complaint about a call."""
    if text.lower().startswith("traceback (most recent call last)"):
        text = "Error: " + text.rstrip().rpartition("\n")[2]
    logged = last_log_line(text[:STRUCTURED_CHARACTERS])
    if logged == "":
        return None
    raw = (logged or text)[:MARKED_CHARACTERS]
    if STATUS_LINE.match(raw) and raw.lstrip().startswith("<"):
        title = " ".join(_TITLE.findall(text[:4000])) or raw
        return _category(call, normalise(title, call, tools)) or ToolError.TOOL_CALL_FAILURE
    words = normalise(raw, call, tools)
    if not words:
        return None
    if (
        _is_titled_prose(raw)
        or repeats_title(raw)
        or REPORT.search(raw)
        or (EXPLAINED.search(raw) and not re.search(r"\b(?:TOOL|PARAM)\b", words))
    ):
        return None
    if _is_marked(raw, words):
        category = _category(call, words)
        named = STRONG_NAME.match(raw) is not None
        if CODE.search(raw) or (
            ARTICLE.search(words[:200]) and (category is None or PROSE.search(raw) or not named)
        ):
            return None
        if NAME_OF_WORK.search(words[:80]) or (
            not named and any(sign.search(words) for sign in (SUCCESS, ADVICE, GENERIC))
        ):
            return None
        if is_essay(raw) and (PROSE.search(raw) or GENERIC.search(raw)):
            return None
        return category or ToolError.TOOL_CALL_FAILURE
    points = complaint_points(hide_quotes(words) if len(text) <= MARKED_CHARACTERS else text)
    if points >= COMPLAINT - slack and (not slack or has_failure_word(words)):
        return _category(call, words) or ToolError.TOOL_CALL_FAILURE
    return None


def _is_marked(raw: str, words: str) -> bool:
    return any(pattern.match(one) for pattern in (NAMED, STATUS_LINE, PHRASES) for one in (raw, words))


def _is_titled_prose(raw: str) -> bool:
    """Whether a title of several words comes before prose that does not itself complain."""
    title, colon, rest = raw.partition(": ")
    if _DISAMBIGUATED.fullmatch(title) and is_essay(rest.ljust(75, ".")):
        return True
    if (
        not colon
        or len(title) > 60
        or " " not in title
        or len(rest) < 50
        or not is_essay(rest.ljust(75, "."))
    ):
        return False
    narrates = any(sign.search(rest) for sign in (PROSE, ARTICLE, GENERIC, NARRATION))
    return narrates and complaint_points(rest) < COMPLAINT - 0.5


def _echoed_key(text: str, call: ToolCall | None) -> ToolError | None:
    """`str(KeyError(k))` is nothing but the quoted key: an argument, or a name that the tool looked up."""
    bare = re.fullmatch(r"'([^'\s]{1,80})'", text)
    if not bare or call is None:
        return None
    if bare.group(1) in {str(value) for value in call.arguments.values()}:
        return ToolError.WRONG_TYPE_OR_VALUE
    return ToolError.TOOL_CALL_FAILURE if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", bare.group(1)) else None
