"""Whether a short text that nothing marks as an error complains about a call: evidence added up.

A message of failure says what is wrong (a predicate) of something that calls have (a noun), briefly, to whoever made the
call. Each kind of evidence has points (`evidence`); prose, success and length take them away again.
"""

import math
import re

from components.error_labeling.feedback.evidence import FEATURES, PREDICATES, WEIGHTS, features
from components.error_labeling.feedback.prose import NOTHING

COMPLAINT = 2.55  # points from which a text is one
CHARACTERS = 400  # a longer one is content
_LABEL = re.compile(r"^\w+\. ")  # a field that names the message's kind, such as `notice`


def complaint_points(text: str) -> float:
    """How much speaks for a complaint about a call, in points; `COMPLAINT` is enough.

    text: normalised; minus infinity when it is longer than `CHARACTERS`, has no word of failure or is an empty result.
    """
    if len(text) > CHARACTERS or not has_failure_word(text):
        return -math.inf
    said = _LABEL.sub("", text)
    nothing = NOTHING.match(said)
    if nothing is not None and nothing.end() == len(said):
        return -math.inf  # the whole text is an empty result
    return sum(weight * found for weight, found in zip(WEIGHTS, features(text), strict=True))


def has_failure_word(text: str) -> bool:
    """Whether anything in the text says that something is wrong."""
    return any(pattern.search(text) is not None for name, _, pattern in FEATURES if name in PREDICATES)
