"""Which category a message of failure has: subject and predicate, tried in an order where the special comes
first.

The text is known to be one about a failed call, so the words may stand anywhere in it. What none of the
patterns knows is
`tool_call_failure`.
"""

import re

from components.contracts.tool_errors import ToolError
from components.error_labeling.argument_words import CONVERT, EXTRA, MISSING, VALUE, WRONG
from components.error_labeling.call_words import INFRASTRUCTURE, NO_TOOL, OWN, TIMEOUT, UNREADABLE
from components.error_labeling.words import (
    TYPE,
    any_of,
)

_EXACT: tuple[tuple[ToolError, re.Pattern[str]], ...] = (
    (
        ToolError.PARAMETER_HALLUCINATION,
        re.compile(
            r"(?i:invalid (?:keyword argument|(?:parameter|field|argument|option|property|input) name))"
        ),
    ),
    (
        ToolError.MISSING_PARAMETER,
        re.compile(
            r"(?i:(?:must|has to|have to|needs? to|should)(?: also)? be (?:supplied|provided|specified|"
            r"given|passed|present|filled|included|sent|stated|there|non-?empty|set)\b(?! (?:as|to|in|at|"
            r"by|when)\b))|(?i:value for) \W?PARAM\W? (?i:(?:was |is )?(?:not|missing))"
        ),
    ),
    (
        ToolError.WRONG_TYPE_OR_VALUE,
        re.compile(
            r"(?i:(?:date|time|number|amount|address|url|coordinates?)\W? (?:\S+ )?(?:could not|cannot|"
            r"can't) be (?:parsed|understood|read|interpreted))"
        ),
    ),
    (
        ToolError.TOOL_HALLUCINATION,
        re.compile(
            r"[Nn]o module named \W?TOOL|^\W*(?:Key ?Error|Lookup Error)\W+TOOL\W*$|\bTOOL: not found$"
        ),
    ),
    (ToolError.TOOL_INSTABILITY, re.compile(r"(?i:rate.?limit|quota|too many requests)")),
    (
        ToolError.TOOL_HALLUCINATION,
        re.compile(
            r"(?i:unknown|unsupported|no such|invalid|undefined) (?i:tool|function|action|"
            r"method)(?i: name)?\W+TOOL\b"
        ),
    ),
    (
        ToolError.PARAMETER_HALLUCINATION,
        re.compile(r"PARAM\W+ (?i:is not an? (?:\w+ )?(?:argument|parameter|option|field))"),
    ),
    (
        ToolError.MISSING_PARAMETER,
        re.compile(
            r"PARAM\W+ (?i:(?:must|has to|needs to|should) be (?:supplied|provided|given|specified|set|"
            r"passed|present|filled|included)|(?:can|must|may|should)(?:not| not|n't) be (?:none|null|"
            r"empty|blank|undefined|omitted))|^\W*Key ?Error\W+PARAM\W*$|\b(?i:missing|required|blank|"
            r"null)\W+PARAM\W*$"
        ),
    ),
    (
        ToolError.PARAMETER_HALLUCINATION,
        re.compile(
            r"(?i:unexpected|unknown|unrecogni[sz]ed) (?i:keyword )?(?i:arguments?|parameters?|fields?|"
            r"propert(?:y|ies)|keywords?|options?|keys?|flags?)\b(?! (?i:value|type))|\WPARAM\W+ (?i:is|"
            r"was) (?i:not allowed|not expected|unexpected|unknown|unsupported)|"
            r"PARAM\W+ (?i:was unexpected)"
        ),
    ),
)

CATEGORIES: tuple[tuple[ToolError, re.Pattern[str]], ...] = (
    *_EXACT,
    (ToolError.TOOL_CALL_FAILURE, OWN),
    (ToolError.TIMEOUT, TIMEOUT),
    (ToolError.WRONG_TYPE_OR_VALUE, CONVERT),
    (ToolError.PARSE_FAILURE, UNREADABLE),
    (ToolError.WRONG_TYPE_OR_VALUE, VALUE),
    (ToolError.MISSING_PARAMETER, MISSING),
    (ToolError.PARAMETER_HALLUCINATION, EXTRA),
    (ToolError.TOOL_HALLUCINATION, NO_TOOL),
    (ToolError.TOOL_INSTABILITY, INFRASTRUCTURE),
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


def category_of(text: str) -> ToolError | None:
    """The first category whose words the message has; None when it only says that something failed.

    text: normalised (`normalise.normalise`).
    """
    return next((error for error, pattern in (*CATEGORIES, *_NAMED) if pattern.search(text)), None)
