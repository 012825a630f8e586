"""The small grammar that the patterns are made of: what a complaint is about (nouns) and what it says
(predicates).

Patterns see normalised text (`normalise`): the call's tool is `TOOL`, its parameters `PARAM`, its values
`VALUE`,
CamelCase and snake_case are words.
"""

import re

TOOL = (
    r"(?:tool|function|method|action|api|plugin|skill|procedure|endpoint|operation|command|capability|"
    r"handler|route|"
    r"callable|routine|resource method|TOOL)s?"
)
PARAMETER = (
    r"(?:parameter|param|argument|arg|keyword|kwarg|field|property|properties|option|attribute|key|flag|"
    r"input|column|"
    r"operand|setting|PARAM)s?"
)
CALL = (
    r"(?:call|request|message|arguments?|json|payload|body|action|input|output|reply|response|text|"
    r"invocation|command|query)s?"
)
TYPE = (
    r"(?:int|integer|float|double|number|numeric|numerical|bool|boolean|str|string|list|array|dict|"
    r"dictionary|map|object|"
    r"mapping|date|datetime|time|url|uri|email|uuid|guid|timestamp|enum|decimal|bytes|tuple|sequence|null|"
    r"none|char|long|"
    r"i32|i64|u32|u64|f64)s?"
)
FORMAT = r"(?:json|yaml|xml|utf-?8|python|csv|toml)"
NOT = r"(?:\bnot\b|n't\b|\bnever\b|\bcannot\b|\bno\b(?!\. ?\d)|\bnone\b|\bneither\b)"
CANNOT = (
    r"(?:(?:could not|couldn't)(?! have)|cannot|can't|can not|unable to|failed to|failure to|did not|"
    r"didn't|was not able to|"
    r"were not able to|am not able to|not able to|wasn't able to|impossible to|not possible to|refused to|"
    r"refuses to)"
)
UNKNOWN = (
    r"(?:unknown|unrecogni[sz]ed|undefined|undeclared|unregistered|unexpected|unsupported|non-?existent|"
    r"no such|extra|"
    r"extraneous|additional|superfluous|surplus|undocumented|unused|unavailable|unlisted|hallucinated|"
    r"invented|"
    r"unevaluated|disallowed|redundant|illegal|stray|excess)"
)
KNOWN = (
    r"(?:found|known|recogni[sz]ed|defined|declared|registered|available|offered|supported|permitted|"
    r"allowed|accepted|"
    r"expected|listed|installed|implemented|provided|exposed|enabled|granted|part of|among|one of|in the|"
    r"on the|a member|present in|loaded|mounted|bound|configured|understood|taken|callable|advertised|"
    r"served|documented)"
)
GIVEN = (
    r"(?:provided|given|supplied|specified|set|present|passed|sent|included|filled(?: in)?|received|found|"
    r"submitted|entered|"
    r"assigned|stated|populated|there)"
)
AUXILIARY = r"(?:is|isn|are|aren|was|wasn|were|weren|has|hasn|have|haven|be|been|do|don|does|doesn|did|didn)"
SECONDS = r"(?:\d+(?:\.\d+)?|two|three|five|ten|thirty|sixty) ?(?:s|ms|sec|secs|second|seconds|minute|minutes|min|mins|milliseconds?|hours?)\b"
DURATION = rf"(?:{SECONDS}|(?:an?|half an?|one|a few|several) (?:second|minute|hour)s?\b|\d+ ?(?:s|ms|min)\b|\d+ (?:seconds|minutes|milliseconds))"
BE = (
    r"(?:(?:is|are|was|were|has|have|had|been|be|being|does|do|did|could|can|may|must|should)(?= |n't|"
    r"not) ?)*"
)
ISNT = rf"(?:{BE}(?:{NOT}) ?(?:been |be |an? |the |yet |currently |a valid |one of the )*)"
Q = r"[\"'`<({\[:]*"
THING = r"(?:[\"'`<({\[:$-]*[\w.\-/]+[\"'`>)}\]:,]*\s+){0,3}?"  # a name between subject and predicate
TOOL_NOUN = (
    r"(?:tool|function|method|action|plugin|skill|procedure|command|capability|endpoint|handler|"
    r"route|api method|api)s?"
)


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern for all, case ignored; a group (?-i:...) minds it."""
    return re.compile("|".join(f"(?:{one})" for one in patterns), re.IGNORECASE | re.DOTALL)
