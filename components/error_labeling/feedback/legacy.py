"""The rule of the authors' released code (github.com/Junjie-Ye/TL-Training, code/mae/mae.py)."""

import re

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
