"""Which category a message of failure has: subject and predicate, tried in an order where the special comes
first.

The text is known to be one about a failed call, so the words may stand anywhere in it. What none of the
patterns knows is
`tool_call_failure`.
"""

import re

from components.contracts.tool_errors import ToolError
from components.error_labeling.feedback.argument_words import CONVERT, EXTRA, MISSING, VALUE, WRONG
from components.error_labeling.feedback.call_words import INFRASTRUCTURE, NO_TOOL, OWN, TIMEOUT, UNREADABLE
from components.error_labeling.feedback.set_terms import EXACT, SET_TERMS
from components.error_labeling.feedback.words import TYPE, any_of

POSITION = any_of(
    r"\b(?:line|lineno|line ?number)\W{0,2} ?\d+\W{1,3}(?:column|col|char|position|column ?number)\b"
)

CATEGORIES: tuple[tuple[ToolError, re.Pattern[str]], ...] = (
    *SET_TERMS,
    *EXACT,
    (ToolError.TOOL_CALL_FAILURE, OWN),
    (ToolError.TIMEOUT, TIMEOUT),
    (ToolError.WRONG_TYPE_OR_VALUE, CONVERT),
    (ToolError.PARSE_FAILURE, UNREADABLE),
    (ToolError.WRONG_TYPE_OR_VALUE, VALUE),
    (ToolError.MISSING_PARAMETER, MISSING),
    (ToolError.PARAMETER_HALLUCINATION, EXTRA),
    (ToolError.TOOL_HALLUCINATION, NO_TOOL),
    (ToolError.TOOL_INSTABILITY, INFRASTRUCTURE),
    (ToolError.PARSE_FAILURE, POSITION),
    (ToolError.WRONG_TYPE_OR_VALUE, WRONG),
)

# What is left when no predicate is known: which name stands beside a word of failure.
_NAMED = (
    (
        ToolError.WRONG_TYPE_OR_VALUE,
        any_of(
            rf"\b(?-i:PARAM|VALUE)\b.*\b(?:{TYPE}|format|word|range|letters|digits|iso)\b|\b(?:{TYPE}|"
            rf"format)\b.*\b(?-i:PARAM|VALUE)\b|(?-i:VALUE)"
        ),
    ),
    (
        ToolError.MISSING_PARAMETER,
        any_of(
            r"\b(?:needs?|tell|told|empty|without|no|where|what|which|until|lacks?|fill\w*|go on|give|ask|"
            r"want\w*|missing|absent|provide)\W+(?:\S+ ){0,5}?\W?(?-i:PARAM)\b(?! (?:called|named))|"
            r"\b(?-i:PARAM)\b.*\b(?:needed|filled|absent|empty|blank|given)\b"
        ),
    ),
    (
        ToolError.PARAMETER_HALLUCINATION,
        any_of(
            r"\b(?-i:PARAM)\b.*(?:\bnot\b|n't|\bnever\b|\black|\bonly\b|\bno\b|\bunknown)|(?:\bnothing\b|"
            r"\bnone\b|\bno\b|\bdrop\b|\bstray\b|\bsurplus\b|\bunknown\b|\bnot\b|n't).*\b(?-i:PARAM)\b"
        ),
    ),
    (
        ToolError.TOOL_HALLUCINATION,
        any_of(
            r"\b(?-i:TOOL)\b.*\b(?:not|n't|none|unresolved|unregistered|unknown|"
            r"may not)\b(?!.*\b(?:return|result|data|found in|repl\w+|complet\w+|execut\w+|process)\b)|"
            r"(?:\bnothing\b|\bno\b|\bunknown\b|\bunresolved\b|\bmake up\b|\bmade up\b|"
            r"\bnone\b).*\b(?-i:TOOL)\b|unregistered|no module named \W?TOOL"
        ),
    ),
)


# Names of exceptions that say less than the message after them.
_GENERAL_NAME = re.compile(
    r"^\W*(?:\w+\.)*(?:(?:Value|Type|Key|Argument|Runtime|Lookup|Validation|Assertion|Name)? ?(?:Error|Exception)|"
    r"Internal Error|Fatal Error)\s*:\s*(?=\S+ \S+ \S)"
)
_NUMBERS = re.compile(
    r"given (?P<given>\d+), expected (?P<expected>\d+)|"
    r"(?:expected|expects|takes|requires)(?: exactly| at least| at most)? (?P<expected_first>\d+)"
    r"(?: (?:positional|required|or more))* (?:arguments?|parameters?)\W[^.]{0,20}?\b(?P<given_last>\d+)\b",
    re.IGNORECASE,
)


def category_of(text: str) -> ToolError | None:
    """The first category whose words the message has; None when it only says that something failed.

    text: normalised (`normalise.normalise`).
    """
    counted = _counted(text)
    if counted is not None:
        return counted
    said = _GENERAL_NAME.sub("", text)
    patterns = (*CATEGORIES, *_NAMED)
    return next(
        (error for one in (said, text) for error, pattern in patterns if one and pattern.search(one)), None
    )


def _counted(text: str) -> ToolError | None:
    """Too few or too many arguments by the two numbers of a message such as "given 0, expected 1"."""
    found = _NUMBERS.search(text)
    if found is None:
        return None
    numbers = {name: int(one) for name, one in found.groupdict().items() if one is not None}
    given = numbers.get("given", numbers.get("given_last"))
    expected = numbers.get("expected", numbers.get("expected_first"))
    if given is None or expected is None or given == expected:
        return None
    return ToolError.MISSING_PARAMETER if given < expected else ToolError.PARAMETER_HALLUCINATION
