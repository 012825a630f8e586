"""Whether a tool's reply can be told to be an error, for the choice of a gold only.

Labels are not made here: error_labeling reads feedback with patterns that are measured. What this misses
becomes the gold of a held-out question, so it looks for what is certain: error keys and error's names.
"""

import json
import re
from collections.abc import Mapping

KEYS = ("error", "errors", "exception", "traceback")
WORDS = re.compile(
    r"\s*(?:[\w.]*(?-i:Error|Exception)\b|(?:error|exception)\b|traceback \(|failed\b|failure\b|invalid\b|unknown (?:tool|function)|"
    r"[\w.]+\(\) (?:missing|got an unexpected|takes)\b|no (?:tool|function) named|timed? ?out\b|"
    r"(?:missing|unexpected) (?:required )?(?:parameter|argument))",
    re.IGNORECASE,
)


def reads_as_error(reply: str) -> bool:
    """Whether the reply is an object with an error in it, or begins as errors do."""
    text = reply.strip()
    if not text.startswith("{"):
        return WORDS.match(text) is not None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, Mapping):
        return False
    fields = {str(key).lower(): one for key, one in value.items()}
    return (
        any(fields.get(key) for key in KEYS)
        or fields.get("success") is False
        or str(fields.get("status")).lower() in ("error", "failed", "failure")
    )
