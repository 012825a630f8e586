"""Whether a short text that nothing marks as an error complains about a call: evidence added up.

A message of failure says what is wrong (a predicate) of something that calls have (a noun), briefly, to
whoever made the
call. Each kind of evidence has points; prose, success and length take them away again. The points are those
of a logistic
regression over the development wordings, and sentences of an encyclopedia against them, rounded.
"""

import math
import re

from components.error_labeling.complaint_words import (
    ASK,
    ERROR,
    FAILED,
    MUST,
    NOUN,
    TECHNICAL,
    WEAK_FAILED,
    WEAK_NOUN,
)
from components.error_labeling.content import HIDDEN
from components.error_labeling.idioms import IDIOMS, STATEMENTS
from components.error_labeling.prose import (
    ADVICE,
    ARTICLE,
    CODE,
    GENERIC,
    LISTING,
    NOTHING,
    PROSE,
    SUCCESS,
    is_essay,
)
from components.error_labeling.words import CANNOT, NOT, any_of

COMPLAINT = 1.4  # points from which a text is one
CHARACTERS = 400  # a longer one is content

FEATURES: tuple[tuple[str, float, re.Pattern[str]], ...] = (
    ("idiom", 2.6, IDIOMS),
    ("statement", 1.8, STATEMENTS),
    ("failed", 0.15, any_of(rf"\b{FAILED}\b")),
    ("cannot", 0.75, any_of(rf"\b{CANNOT}\b")),
    ("error", 0.2, any_of(rf"\b{ERROR}\b")),
    ("weak failed", 0.25, any_of(rf"\b{WEAK_FAILED}\b")),
    ("not", 0.55, any_of(NOT)),
    ("must", 0.6, any_of(rf"\b{MUST}\b")),
    ("technical", 0.4, any_of(rf"\b{TECHNICAL}\b")),
    ("noun", -0.4, any_of(rf"\b{NOUN}\b")),
    ("weak noun", 0.85, any_of(rf"\b{WEAK_NOUN}\b")),
    ("nouns", 1.3, any_of(rf"\b(?:{NOUN}|{TECHNICAL})\b.+\b(?:{NOUN}|{TECHNICAL})\b")),
    ("tool", 4.8, any_of(r"\b(?-i:TOOL)\b")),
    ("parameter", 2.15, any_of(r"\b(?-i:PARAM)\b")),
    ("value", 1.05, any_of(r"\b(?-i:VALUE)\b")),
    (
        "code",
        -0.8,
        any_of(
            r"[\"'`][\w.\-]{1,40}[\"'`]|\w\(\)|\w+\.\w+\.\w+|::|\$\w|--\w|\b0x|[\[{(]\w+[\]})]|\w=\w|"
            r"\(_?\w+\.\w+:\d+\)"
        ),
    ),
    (
        "apology",
        1.65,
        any_of(r"^\W*(?:sorry|oops|whoops|apologies|unfortunately|uh-?oh|hmm)\b(?=.*(?-i: [a-z]))"),
    ),
    (
        "speaker",
        2.65,
        any_of(
            r"\b(?:i|we) (?:\w+ )?(?:can(?:not|'t)|could(?:n't| not)|do(?:n't| not)|did(?:n't| not)|unable|stopped|"
            r"gave up|expected|need|failed)\b(?! (?:be|do|care|think|have done|know what|tell you|like|want|just)\b)|\b(?:i|we) (?:was|were|am|are) (?:unable|not able)\b|\bwe(?:'re| are) (?:\w+ )?(?:down|closed|offline|experiencing|having|overloaded)\b|\bour\b"
        ),
    ),
    (
        "addressed",
        2.05,
        any_of(
            r"\b(?:you (?:called|passed|gave|sent|used|asked|left|tried|need|must)|your (?:\w+ )?(?:call|request|input|arguments?|query|json))\b|^(?:please|choose|use|try|check|provide|retry)\b|[.!;,] (?:please|choose|use|try|check|provide|retry|call)\b"
        ),
    ),
    (
        "choices",
        2.6,
        any_of(
            r"\b(?:choose from|one of|available (?:\w+ )?(?:are)?|accepted|allowed|valid \w+|supported|permitted|options)"
            r"(?: are)?\b ?[:(\[]"
        ),
    ),
    # Programs often write neither a capital nor a full stop.
    ("uncapitalised", 0.7, re.compile(r"^[a-z]")),
    ("unfinished", 1.3, re.compile(r"[^.!?\u201d\"]\s*$")),
    ("quoted", -0.75, any_of(HIDDEN)),
    ("ask", -1.35, any_of(rf"\b{ASK}\b")),
    (
        "begins",
        1.05,
        any_of(
            rf"^\W?(?:please\b|oops\b|where is\b|{FAILED}\b|{CANNOT}\b|(?-i:TOOL|PARAM|VALUE)\b|no\b|"
            rf"it\b|your\b|we\b|i\b|you\b)"
        ),
    ),
    ("definite", -0.05, any_of(r"^(?:the|this|that|an?)\b")),
    ("article", -3.0, ARTICLE),
    ("prose", -4.3, PROSE),
    ("program", -5.35, CODE),
    ("success", -3.5, SUCCESS),
    ("past", -0.6, re.compile(r"\b(?:was|were|had|brought|said|became|began|asked|would)\b")),
    (
        "names",
        -1.25,
        re.compile(r"(?<=[a-z,] )(?!I\b|JSON\b|TOOL|PARAM|VALUE|Error|Exception)[A-Z][a-z]{2,}"),
    ),
    (
        "title",
        -2.4,
        re.compile(
            r"^(?:[A-Z][\w'!,]*|of|the|in|and|a|to|for|on|at|with|by)(?: (?:[A-Z][\w'!,-]*|of|the|in|and|a|to|for|on|at|with|by|"
            r"\d+:?))+$"
        ),
    ),
    (
        "aside",
        -2.0,
        re.compile(
            r"\?\s*$|^\d+\. |^(?:In|By|An?|For|To|If|When|With|Although|However|Because|While|Since|Until)\b "
        ),
    ),
    ("nothing", -3.2, NOTHING),
    ("advice", -2.9, ADVICE),
    ("generic", -2.85, GENERIC),
    (
        "describes",
        -0.4,
        re.compile(
            r"\b(?:returns|reduces|depends|consists|raises|lets|lasts|proves|comes|refers|marked|"
            r"published|released|granted|caused)\b|\ba \w+ of\b"
        ),
    ),
    ("listing", -1.95, LISTING),
    ("number", -1.75, re.compile(r"\b\d+(?:\.\d+)?\s*%|: \d+(?:\.\d+)?\s*\w*$|\b(?:1[89]|20)\d\d\b")),
)


def features(text: str) -> list[float]:
    """The evidence in a normalised text: one number for each of `FEATURES`, then what it is as a whole."""
    found = {name: float(pattern.search(text) is not None) for name, _, pattern in FEATURES}
    concrete = any(found[name] for name in CONCRETE)
    lengths = (len(text) <= 60, len(text) > 160)
    return [
        *found.values(),
        float(is_essay(text)),
        float(not concrete),
        float(not concrete and not found["weak noun"]),
        *map(float, lengths),
    ]


PREDICATES = frozenset(
    {
        "idiom",
        "statement",
        "failed",
        "cannot",
        "error",
        "weak failed",
        "not",
        "must",
        "tool",
        "parameter",
        "value",
    }
)
CONCRETE = ("idiom", "technical", "noun", "tool", "parameter", "value", "code")
WEIGHTS = (*(weight for _, weight, _ in FEATURES), -2.35, -2.35, -0.95, 1.15, -2.1)


def complaint_points(text: str) -> float:
    """How much speaks for a complaint about a call, in points; `COMPLAINT` is enough.

    text: normalised; minus infinity when it is longer than `CHARACTERS`, has no word of failure or is an empty result.
    """
    if len(text) > CHARACTERS or not has_failure_word(text):
        return -math.inf
    nothing = NOTHING.match(text)
    if nothing is not None and nothing.end() == len(text):
        return -math.inf  # the whole text is an empty result
    return sum(weight * found for weight, found in zip(WEIGHTS, features(text), strict=True))


def has_failure_word(text: str) -> bool:
    """Whether anything in the text says that something is wrong."""
    return any(pattern.search(text) is not None for name, _, pattern in FEATURES if name in PREDICATES)
