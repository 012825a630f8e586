"""Whether a short text that nothing marks as an error complains about a call: evidence added up.

A message of failure says what is wrong (a predicate) of something that calls have (a noun), briefly, to
whoever made the
call. Each kind of evidence has points; prose, success and length take them away again. The points are those
of a logistic
regression over the development wordings, and sentences of an encyclopedia against them, rounded.
"""

import math
import re

from components.error_labeling.content import HIDDEN
from components.error_labeling.idioms import IDIOMS, STATEMENTS
from components.error_labeling.prose import (
    ADVICE,
    ARTICLE,
    CODE,
    EXPLAINED,
    GENERIC,
    LISTING,
    NOTHING,
    PROSE,
    SUCCESS,
    is_essay,
    repeats_title,
)
from components.error_labeling.words import CANNOT, NOT, any_of

COMPLAINT = 1.4  # points from which a text is one
CHARACTERS = 400  # a longer one is content

_TECHNICAL = (
    r"(?:hostname|params?|json|api|database|payload|schema|endpoint|tool|callable|upstream|backend|"
    r"gateway|proxy|dns|ssl|tls|handshake|sandbox|"
    r"credentials|authentication|authori[sz]ation|api key|header|url|uri|syntax|bracket|brace|integer|"
    r"float|boolean|bool|array|dict|index|keyword|"
    r"kwargs?|enum|datetime|timestamp|time ?zone|locale|language code|identifier|regex|attribute|quota|"
    r"deadline|plugin|handler|invocation|packet|"
    r"null|eof|http|rpc|sql|repository|operand|token|query|socket|stack|thread|worker|client|output|input|"
    r"execution|transaction|module)s?"
)
_NOUN = (
    r"(?:server|host|request|function|method|argument|parameter|connection|operation|call|response|"
    r"network|process|container|memory|session|"
    r"permission|quote|string|object|option|flag|column|table|relation|resource|directory|statement|node|"
    r"stream|protocol|signal|command|operator)s?"
)
_WEAK_NOUN = (
    r"(?:type|value|field|property|properties|key|id|code|date|number|character|digit|literal|pattern|row|"
    r"record|file|path|format|account|user|"
    r"order|item|document|page|limit|plan|subscription|lock|action|route|body|message|data|result|program|"
    r"script|step|task|job|service|system|"
    r"queue|pool|cluster|instance|model|port|peer|name|text|time|range|length|choice|answer|reply|website|"
    r"city|scope|access|payment|booking|reservation|seat|ticket|mailbox|balance|funds|card|currency|month|"
    r"year|day|latitude|longitude|symbol|ticker|postcode|coordinates|email|amount|address|provider|call)s?"
)
_FAILED = (
    r"(?:fail|failed|fails|failing|failure|invalid|missing|unexpected|unsupported|unrecogni[sz]ed|"
    r"undefined|unavailable|unreachable|"
    r"unauthori[sz]ed|refused|rejected|denied|forbidden|aborted|interrupted|crashed|exceeded|exceeds|"
    r"expired|exhausted|overloaded|throttled|"
    r"disconnected|terminated|corrupt|corrupted|malformed|illegal|incorrect|unable|impossible|mismatch|"
    r"mismatched|duplicate|incomplete|"
    r"truncated|unterminated|unclosed|unbalanced|unmatched|unreadable|unresolved|insufficient|timed out|"
    r"outage|hallucinated|unimplemented|"
    r"violates|violation|superfluous|omitted|declined|panicked|overflow|deadlock|null|nil|dangling|"
    r"problems?|trouble|outside|unregistered|unknown|lacks?|lacking|wrong)"
)
_ERROR = r"(?:error|exception|errors|fault|timeout|time-out)"
_WEAK_FAILED = (
    r"(?:reset|closed|lost|broken|killed|dropped|conflict|locked|blocked|stale|bad|empty|blank|down|"
    r"offline|busy|extra|stopped|cancell?ed|"
    r"cancell?ing|too (?:many|few|long|short|large|small|big|old|high|low|much|slow)|out of|without|"
    r"absent|forgot|gave up|went away|suspended|"
    r"disabled|none|nothing|limit)"
)
_MUST = (
    r"(?:must|should|has to|have to|had to|needs? to|required|requires|mandatory|expected|expects|"
    r"expecting|ensure|needed|only (?:accepts|takes))"
)
_ASK = (
    r"(?:please|try again|retry|check|make sure|contact|did you mean|you (?:must|need|are not|aren't|"
    r"cannot|can't|did|didn't|provided|passed|gave|"
    r"called|tried|forgot|requested|entered|supplied)|your|valid (?:options|values|tools|choices)|"
    r"available (?:tools|functions|actions)|accepted|allowed values|use one)"
)

FEATURES: tuple[tuple[str, float, re.Pattern[str]], ...] = (
    ("idiom", 1.6, IDIOMS),
    ("statement", 1.45, STATEMENTS),
    ("failed", 0.6, any_of(rf"\b{_FAILED}\b")),
    ("cannot", 0.8, any_of(rf"\b{CANNOT}\b")),
    ("error", 0.75, any_of(rf"\b{_ERROR}\b")),
    ("weak failed", 0.6, any_of(rf"\b{_WEAK_FAILED}\b")),
    ("not", 0.55, any_of(NOT)),
    ("must", 0.6, any_of(rf"\b{_MUST}\b")),
    ("technical", 0.9, any_of(rf"\b{_TECHNICAL}\b")),
    ("noun", 0.7, any_of(rf"\b{_NOUN}\b")),
    ("weak noun", 0.65, any_of(rf"\b{_WEAK_NOUN}\b")),
    ("nouns", 0.7, any_of(rf"\b(?:{_NOUN}|{_TECHNICAL})\b.+\b(?:{_NOUN}|{_TECHNICAL})\b")),
    ("tool", 3.1, any_of(r"\b(?-i:TOOL)\b")),
    ("parameter", 1.85, any_of(r"\b(?-i:PARAM)\b")),
    ("value", 0.65, any_of(r"\b(?-i:VALUE)\b")),
    (
        "code",
        0.1,
        any_of(
            r"[\"'`][\w.\-]{1,40}[\"'`]|\w\(\)|\w+\.\w+\.\w+|::|\$\w|--\w|\b0x|[\[{(]\w+[\]})]|\w=\w|"
            r"\(_?\w+\.\w+:\d+\)"
        ),
    ),
    ("apology", 1.45, any_of(r"^\W*(?:sorry|oops|whoops|apologies|unfortunately|uh-?oh|hmm)\b(?=.*(?-i: [a-z]))")),
    (
        "speaker",
        1.5,
        any_of(
            r"\b(?:i|we) (?:\w+ )?(?:can(?:not|'t)|could(?:n't| not)|do(?:n't| not)|did(?:n't| not)|unable|stopped|"
            r"gave up|expected|need|failed)\b(?! (?:be|do|care|think|have done|know what|tell you|like|want|just)\b)|\b(?:i|we) (?:was|were|am|are) (?:unable|not able|experiencing)\b|\bour\b"
        ),
    ),
    ("addressed", 0.75, any_of(r"\b(?:you (?:called|passed|gave|sent|used|asked|left|tried|need|must)|your (?:\w+ )?(?:call|request|input|arguments?|query|json))\b|^(?:please|choose|use|try|check|provide|retry)\b|[.!;,] (?:please|choose|use|try|check|provide|retry|call)\b")),
    (
        "choices",
        1.2,
        any_of(
            r"\b(?:choose from|one of|available (?:\w+ )?(?:are)?|accepted|allowed|valid \w+|supported|permitted|options)"
            r"(?: are)?\b ?[:(\[]"
        ),
    ),
    ("quoted", -0.55, any_of(HIDDEN)),
    ("ask", -0.4, any_of(rf"\b{_ASK}\b")),
    (
        "begins",
        0.85,
        any_of(
            rf"^\W?(?:please\b|oops\b|where is\b|{_FAILED}\b|{CANNOT}\b|(?-i:TOOL|PARAM|VALUE)\b|no\b|"
            rf"it\b|your\b|we\b|i\b|you\b)"
        ),
    ),
    ("definite", -0.85, any_of(r"^(?:the|this|that|an?)\b")),
    ("article", -2.8, ARTICLE),
    ("prose", -3.5, PROSE),
    ("program", -4.2, CODE),
    ("success", -2.75, SUCCESS),
    ("past", -0.2, re.compile(r"\b(?:was|were|had|brought|said|became|began|asked|would)\b")),
    ("names", -0.8, re.compile(r"(?<=[a-z,] )(?!I\b|JSON\b|TOOL|PARAM|VALUE|Error|Exception)[A-Z][a-z]{2,}")),
    (
        "title",
        -0.95,
        re.compile(
            r"^(?:[A-Z][\w'!,]*|of|the|in|and|a|to|for|on)(?: (?:[A-Z][\w'!,-]*|of|the|in|and|a|to|for|on|"
            r"\d+:?))+$"
        ),
    ),
    ("question", -1.55, re.compile(r"\?\s*$|^\d+\. |^(?:In|By|An?|For|To|If|When|With|Although|However)\b ")),
    ("nothing", -3.25, NOTHING),
    ("titled", -0.8, re.compile(r"^[A-Z][^:'\"`(]{3,60}: (?:In|The|An?|It|He|She|This)\b")),
    ("explained", -3.5, EXPLAINED),
    ("advice", -2.65, ADVICE),
    ("generic", -2.6, GENERIC),
    (
        "general",
        -1.0,
        re.compile(r"\b(?:such as|known as|often|usually|one of the|is called|are called|most)\b"),
    ),
    (
        "describes",
        -1.3,
        re.compile(
            r"\b(?:returns|reduces|depends|consists|raises|lets|lasts|proves|comes|refers|marked|"
            r"published|released|granted|caused)\b|\ba \w+ of\b"
        ),
    ),
    ("listing", -1.55, LISTING),
    ("number", -1.35, re.compile(r"\b\d+(?:\.\d+)?\s*%|: \d+(?:\.\d+)?\s*\w*$|\b(?:1[89]|20)\d\d\b")),
)


def features(text: str) -> list[float]:
    """The evidence in a normalised text: one number for each of `FEATURES`, then three for its length."""
    found = {name: float(pattern.search(text) is not None) for name, _, pattern in FEATURES}
    concrete = any(found[name] for name in CONCRETE)
    lengths = (len(text) <= 60, len(text) > 160, len(text) > 260)
    return [
        *found.values(),
        float(repeats_title(text)),
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
WEIGHTS = (*(weight for _, weight, _ in FEATURES), -1.5, -1.7, -1.45, -0.85, 1.15, -1.3, -0.15)


def complaint_points(text: str) -> float:
    """How much speaks for a complaint about a call, in points; `COMPLAINT` is enough.

    text: normalised; minus infinity when it is longer than `CHARACTERS` or has no word of failure.
    """
    if len(text) > CHARACTERS or not has_failure_word(text):
        return -math.inf
    return sum(weight * found for weight, found in zip(WEIGHTS, features(text), strict=True))


def has_failure_word(text: str) -> bool:
    """Whether anything in the text says that something is wrong."""
    return any(pattern.search(text) is not None for name, _, pattern in FEATURES if name in PREDICATES)
