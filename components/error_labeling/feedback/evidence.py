"""The kinds of evidence that a text complains about a call, and the points of each.

The points are those of a logistic regression over the development wordings, and sentences of an encyclopedia against
them, rounded.
"""

import re

from components.error_labeling.feedback.complaint_words import (
    ASK,
    ERROR,
    FAILED,
    MUST,
    NOUN,
    TECHNICAL,
    WEAK_FAILED,
    WEAK_NOUN,
)
from components.error_labeling.feedback.content import HIDDEN
from components.error_labeling.feedback.idioms import IDIOMS, STATEMENTS
from components.error_labeling.feedback.outcomes import (
    AGENT,
    ASKED_BACK,
    COMPARED,
    CURT,
    LATE,
    NOT_DONE,
    REFUSED,
    SERVICE,
)
from components.error_labeling.feedback.prose import (
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
from components.error_labeling.feedback.words import CANNOT, NOT, any_of

FEATURES: tuple[tuple[str, float, re.Pattern[str]], ...] = (
    ("idiom", 1.65, IDIOMS),
    ("statement", 1.55, STATEMENTS),
    ("not done", 3, NOT_DONE),
    ("compared", 1.95, COMPARED),
    ("late", 2.45, LATE),
    ("asked back", 2.5, ASKED_BACK),
    ("agent", 1.2, AGENT),
    ("service", 1.6, SERVICE),
    ("refused", 1.15, REFUSED),
    ("curt", 0.8, CURT),
    ("failed", -0.25, any_of(rf"\b{FAILED}\b")),
    ("cannot", 0.8, any_of(rf"\b{CANNOT}\b")),
    ("error", -0.55, any_of(rf"\b{ERROR}\b")),
    ("weak failed", -0.3, any_of(rf"\b{WEAK_FAILED}\b")),
    ("not", 0.2, any_of(NOT)),
    ("must", 0.65, any_of(rf"\b{MUST}\b")),
    ("technical", 1.4, any_of(rf"\b{TECHNICAL}\b")),
    ("noun", 0.55, any_of(rf"\b{NOUN}\b")),
    ("weak noun", 0.9, any_of(rf"\b{WEAK_NOUN}\b")),
    ("nouns", 1.05, any_of(rf"\b(?:{NOUN}|{TECHNICAL})\b.+\b(?:{NOUN}|{TECHNICAL})\b")),
    ("tool", 2.55, any_of(r"\b(?-i:TOOL)\b")),
    ("parameter", 0.85, any_of(r"\b(?-i:PARAM)\b")),
    ("value", -0.5, any_of(r"\b(?-i:VALUE)\b")),
    (
        "code",
        0.45,
        any_of(
            r"[\"'`][\w.\-]{1,40}[\"'`]|\w\(\)|\w+\.\w+\.\w+|::|\$\w|--\w|\b0x|[\[{(]\w+[\]})]|\w=\w|"
            r"\(_?\w+\.\w+:\d+\)"
        ),
    ),
    (
        "apology",
        0.8,
        any_of(r"^\W*(?:sorry|oops|whoops|apologies|unfortunately|uh-?oh|hmm)\b(?=.*(?-i: [a-z]))"),
    ),
    (
        "speaker",
        1.9,
        any_of(
            r"\b(?:i|we) (?:\w+ )?(?:can(?:not|'t)|could(?:n't| not)|do(?:n't| not)|did(?:n't| not)|unable|stopped|"
            r"gave up|expected|need|failed)\b(?! (?:be|do|care|think|have done|know what|tell you|like|want|just)\b)|\b(?:i|we) (?:was|were|am|are) (?:unable|not able)\b|\bwe(?:'re| are) (?:\w+ )?(?:down|closed|offline|experiencing|having|overloaded)\b|\bour\b"
        ),
    ),
    (
        "addressed",
        0.9,
        any_of(
            r"\b(?:you (?:called|passed|gave|sent|used|asked|left|tried|need|must)|your (?:\w+ )?(?:call|request|input|arguments?|query|json))\b|^(?:please|choose|use|try|check|provide|retry)\b|[.!;,] (?:please|choose|use|try|check|provide|retry|call)\b"
        ),
    ),
    (
        "choices",
        1.3,
        any_of(
            r"\b(?:choose from|one of|available (?:\w+ )?(?:are)?|accepted|allowed|valid \w+|supported|permitted|options)"
            r"(?: are)?\b ?[:(\[]"
        ),
    ),
    # Programs often write neither a capital nor a full stop.
    ("uncapitalised", 1.2, re.compile(r"^[a-z]")),
    ("unfinished", 1.05, re.compile(r"[^.!?\u201d\"]\s*$")),
    ("quoted", 0.5, any_of(HIDDEN)),
    ("ask", -0.1, any_of(rf"\b{ASK}\b")),
    (
        "begins",
        0.85,
        any_of(
            rf"^\W?(?:please\b|oops\b|where is\b|{FAILED}\b|{CANNOT}\b|(?-i:TOOL|PARAM|VALUE)\b|no\b|"
            rf"it\b|your\b|we\b|i\b|you\b)"
        ),
    ),
    ("definite", -0.25, any_of(r"^(?:the|this|that|an?)\b")),
    ("article", -2.1, ARTICLE),
    ("prose", -3.35, PROSE),
    ("program", -2.85, CODE),
    ("success", -2.4, SUCCESS),
    ("past", -0.25, re.compile(r"\b(?:was|were|had|brought|said|became|began|asked|would)\b")),
    (
        "names",
        -2,
        re.compile(r"(?<=[a-z,] )(?!I\b|JSON\b|TOOL|PARAM|VALUE|Error|Exception)[A-Z][a-z]{2,}"),
    ),
    (
        "title",
        -1.6,
        re.compile(
            r"^(?:[A-Z][\w'!,]*|of|the|in|and|a|to|for|on|at|with|by)(?: (?:[A-Z][\w'!,-]*|of|the|in|and|a|to|for|on|at|with|by|"
            r"\d+:?))+$"
        ),
    ),
    (
        "aside",
        -1.05,
        re.compile(
            r"\?\s*$|^\d+\. |^(?:In|By|An?|For|To|If|When|With|Although|However|Because|While|Since|Until)\b "
        ),
    ),
    ("nothing", -1.9, NOTHING),
    ("advice", -0.85, ADVICE),
    ("generic", -2.25, GENERIC),
    (
        "describes",
        -0.15,
        re.compile(
            r"\b(?:returns|reduces|depends|consists|raises|lets|lasts|proves|comes|refers|marked|"
            r"published|released|granted|caused)\b|\ba \w+ of\b"
        ),
    ),
    ("listing", -1.7, LISTING),
    ("number", -1.3, re.compile(r"\b\d+(?:\.\d+)?\s*%|: \d+(?:\.\d+)?\s*\w*$|\b(?:1[89]|20)\d\d\b")),
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
        "not done",
        "compared",
        "late",
        "asked back",
        "agent",
        "service",
        "refused",
        "curt",
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
CONCRETE = ("idiom", "late", "agent", "technical", "noun", "tool", "parameter", "value", "code")
WEIGHTS = (*(weight for _, weight, _ in FEATURES), -1.5, -1.35, -0.7, 1.8, -2.2)
