"""The wordings of failure: what marks a text as an error, and what tells its category.

Two levels. `MARKERS` and `BARE` decide whether a text is feedback about a failure at all; both hold only at
its very beginning, so that prose about errors is left alone. `CATEGORIES` then look anywhere in a message
that is known to be one. Patterns see normalised text: the call's tool is `TOOL`, its parameters `PARAM`.
"""

import re

from components.contracts.tool_errors import ToolError

_TOOL = r"(?:tool|function|method|action|api|plugin|skill|procedure|endpoint|operation|command|TOOL)s?"
_PARAMETER = (
    r"(?:parameter|param|argument|arg|keyword|kwarg|field|property|properties|option|attribute|key|flag|input|"
    r"PARAM)s?"
)
_NAME = r"(?:\s+(?:named|called|with (?:the )?name|by the name of))?\s*[\"'`<:]{0,2}\s*[\w.\-]*\s*[\"'`>]?(?:\(\))?\s*"
_NOT = r"(?:is not|isn't|are not|aren't|was not|wasn't|were not|weren't|not)"
_CANNOT = r"(?:could not|couldn't|cannot|can't|can not|unable to|failed to|failure to|did not|didn't)"
_TYPE = (
    r"(?:int|integer|float|number|numeric|bool|boolean|str|string|list|array|dict|dictionary|object|date|datetime|"
    r"url|uri|email|uuid|timestamp|enum|decimal)"
)

_NOUN = (
    r"(?:server|host|request|function|method|argument|parameter|json|query|execution|connection|transaction|"
    r"token|module|api|operation|database|payload|schema|endpoint|client|input|output|tool|call|stack|thread|socket)s?"
)
_FAILURE = (
    r"(?:failed|fails|failure|exceeded|error|errors|unable|interrupted|cannot|could not|couldn't|can't|not|n't|invalid|"
    r"rejected|refused|aborted|lost|crashed|unexpected|does not|doesn't|unavailable|denied|expired)"
)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in patterns), re.IGNORECASE | re.DOTALL)


MARKERS = _any(
    r"traceback \(most recent call last\)",
    r"[\[(<*\s]*(?:(?:an?|the|fatal|internal|unexpected|unhandled|api|tool|function|runtime|execution|http|server|"
    r"client|validation|system|TOOL)\s+){0,3}(?:error|exception|failure|errors|err)\b[\])>*]*"
    r"(?:\s+(?:while|when|during|calling|executing|running|processing|occurred|invoking|\(?\d+\)?)\b|"
    r"\s+(?:in|from|for|at|type|message|code)\b(?:[^.]{0,60}:|.{0,20}TOOL|\W*\d)|\s*[:=\-\u2013\u2014(]|\s*$)",
    r"(?!standard|margin|mean|rounding|type i|trial|\w+ \w+ \w+ \w+ )(?:[\w./-]+ ){0,3}(?:error|exception|panic)\s*:\s*(?!\d)\S",
    r"\d+ (?:\w+ )?errors? (?:for|in|found)\b|(?:[a-z_]\w*\.)+(?-i:[A-Z])\w+\s*:|\w+ '\w+' panicked|panicked at|"
    r"uncaught |(?:\w+ )?validation failed\b",
    r"[\w.$]*(?-i:[a-z\d_]|[A-Z])(?-i:Error|Exception|Fault|Failure|Timeout|Expired|Unavailable|Denied)"
    r"(?:\s*[:(\[]|\s*$)",
    r"(?:http\S*|status(?: code)?|code|error)?\s*[:#]?\s*[45]\d\d\b\s*[:,\-\u2013(]?\s*(?:client error|server error|"
    r"bad request|unauthori[sz]ed|forbidden|not found|method not allowed|not acceptable|request time|conflict|gone|"
    r"payload|unprocessable|too many|internal|not implemented|bad gateway|service|gateway|payment|proxy|unsupported)",
    r"(?:http(?: error| status)?(?: code)?|status code|response status|server (?:returned|responded with))"
    r"\W{0,3}(?:(?:status|code|http|an?)\W+)*[45]\d\d\b",
    r"(?:the )?(?:request|call|operation|query|execution|invocation|tool call|function call|action|tool|function|"
    r"job|command|TOOL)\s+(?:to \S+ |of \S+ |for \S+ |execution )?(?:has |was |is )?"
    r"(?:failed|rejected|refused|unsuccessful|aborted|errored|denied|invalid|terminated)\b",
    rf"(?:the )?(?:{_TOOL}){_NAME}(?:cannot|could not|can't|couldn't) be (?:executed|called|invoked|run|completed|processed)",
    r"panic:|(?:fatal|exception|failure|failed|fail|rejected|denied|bad request|access denied|permission denied|"
    r"unauthori[sz]ed|forbidden|not found|not implemented|aborted|unhandled rejection)\s*(?:[:!\-\u2013]|\.?$)",
    r"(?:sorry|oops|whoops|apologies|unfortunately|we(?:'re| are) sorry)\b[^.!]{0,80}\b(?:error|went wrong|fail\w*|problem|"
    r"unable|could not|couldn't|cannot|can't|unavailable|not available|try again|later)\b",
    r"(?:something|things) went wrong|an? (?:\w+ ){0,3}(?:error|exception|problem|failure) (?:has )?(?:occurred|"
    r"happened|was (?:encountered|raised|thrown))|encountered an? (?:\w+ ){0,2}(?:error|exception|problem)",
)

# An "Error:" or the name of an exception: stronger than a marker that an article's title may be, too.
MARKED_BY_NAME = re.compile(r"\W*(?:(?:\w+ ){0,3}(?i:error)|[\w.$]*(?:Error|Exception|Timeout))\s*[:(]")

# Nothing marks the text as an error but the sentence itself: its beginning must be one of these.
_SUBJECT = (
    r"(?!an? )(?:the |your |our |this |that )?(?:\w+ ){0,2}?(?:request|call|operation|query|tool|function|service|"
    r"server|connection|api|upstream|backend|host|execution|process|command|system|gateway|endpoint|resource|"
    r"worker|socket|response|lookup|search|client|network|TOOL)(?:\(\))?s?\b"
)
BARE: tuple[re.Pattern[str], ...] = (
    _any(
        rf"{_CANNOT} (?:be )?(?:execut|complet|process|retriev|fetch|get|perform|comput|evaluat|handl|load|open|"
        r"read|run|resolv|connect|reach|contact|access|pars|decod|authenticat|generat|obtain|look up|serve|"
        r"fulfil|satisfy|determin|establish|understand|interpret|deseriali|convert|validat|find (?:a |the |any )?"
        r"(?:tool|function|TOOL)|call|invoke|produce|send|receive|respond|finish)",
        rf"{_SUBJECT}[^.]{{0,60}}?\b(?:failed|timed out|time[- ]?out|(?:is|are) (?:\w+ )?(?:unavailable|down|"
        r"overloaded|unreachable|busy|offline)|(?:not|n't) (?:respond|reply|answer|complete|finish|succeed|return|"
        r"available|reachable|reply)|(?:was|were|been|is) (?:\w+ )?(?:refused|reset|closed|aborted|rejected|denied|"
        r"throttled|interrupted|lost|cancelled|canceled|terminated|dropped)|closed|refused|reset|aborted|crashed|"
        r"took too long|took longer|exceeded|gave no|ran out|went away|hung up|disconnected|could not|couldn't)\b",
        r"(?:too many requests|(?:api )?(?:rate|request|usage)[- ]?limit\w*|quota|max(?:imum)? retries exceeded|"
        r"connection (?:error|refused(?! to)|reset|aborted|closed|failed|lost|timed)|(?:read|connect|write|request|"
        r"connection|gateway|operation) ?time[d-]?[- ]?out|timed out|deadline[ _]exceeded|service unavailable|"
        r"bad gateway|internal (?:server )?error|network (?:error|is)|\[?errno|dns |name or service not known|"
        r"temporary failure|remote end closed|broken pipe|ssl|no route to host|throttl|server overloaded|"
        r"econn\w+|etimedout|enotfound|eai_again|socket hang up|\w*connectionpool\(|you(?:'ve| have)? (?:\w+ )?"
        r"(?:exceeded|reached|hit|run out)|time limit exceeded|gave up|giving up|no (?:reply|response|answer) (?:was |"
        r"came |received |from|within|after|in))",
        rf"(?:invalid|illegal|incorrect|bad|wrong|unsupported|unexpected|unacceptable) (?:\w+ ){{0,2}}(?:{_PARAMETER}|"
        rf"value|type|{_TYPE}|literal|request|api call|data type|format)\b",
        r"(?:invalid (?:url|json|syntax|date|format|choice|credentials|token|api key)|could not convert|can't (?:multiply|"
        r"convert|concat)|'?\W+' not supported between|unsupported operand|object of type \w+ is not|"
        r"\W?\w+\W? object (?:has no|is not)|(?:list|string|tuple) ind(?:ex|ices)|slice indices|division by zero|"
        r"no (?:module|such file)|expecting |unterminated|malformed|unexpected (?:end|token|character|eof|indent)|"
        r"extra data|unmatched|eof while|eol while|was never closed|json\w*(?: parse)? error|not enough "
        r"values)",
        r"(?:unsupported|invalid|illegal) (?:\w+ ?){1,3}:\s*\S{1,40}\s*$|unable to \w+|(?:could not|couldn't|cannot|failed to) "
        r"(?:find|locate|look up|access) (?:the|an?y?)\b",
        rf"(?:the )?values? (?:\w+ ){{0,2}}?(?:of|for) (?:PARAM|[\"'`])[^.]{{0,30}}(?:{_NOT}|must|invalid|outside|exceeds)",
        rf"\W?PARAM\W?:? [^.]{{0,30}}?\b(?:must|should|has to|needs to|{_NOT}|cannot|can't|out of|does not|expects)\b",
        rf"expected (?:an? )?{_TYPE}\b|(?:value )?(?:must|should) be (?:an? )?{_TYPE}\b|\S+ is not (?:an? )?(?:valid )?"
        rf"(?:{_TYPE}|of type|one of)\b",
    ),
)

# Nowhere but in feedback: anywhere in a short text that is no prose.
TELLTALES = _any(
    rf"(?:[\"'`]PARAM[\"'`]|\bTOOL\b|(?:value|{_PARAMETER}|provide|specify|supply|give|include|pass|for|needs?|requires?) "
    r"(?:\w+ ){0,3}?PARAM\b).*\b(?:not|\w+n't|cannot|no|unknown|invalid|missing|must|fail\w*|unable|unsupported|unavailable|"
    r"unrecogni[sz]ed|outside|unexpected|required|without|too|never|omitted|wrong|undefined|exceed\w*|left out|error|down)\b",
    r"\b(?:not|\w+n't|cannot|no|unknown|invalid|missing|must|fail\w*|unable|unsupported|unavailable|unrecogni[sz]ed|outside|"
    r"unexpected|extra|wrong|undefined|please|error|no such)\b.*(?:[\"'`]PARAM[\"'`]|\bTOOL\b|--PARAM\b|(?:value|"
    rf"{_PARAMETER}|provide|specify|supply|give|include|pass|for)\W+(?:\w+ ){{0,3}}?PARAM\b)",
    r"\b(?:unexpected|positional|keyword|missing|unknown|unrecogni[sz]ed|invalid) (?:\w+ )?(?:arguments?|parameters?|"
    r"fields?|property|properties|option|keys?)\b",
    r"\bdeadline (?:was )?exceeded|\b(?:econn|etimedout|enotfound|eai_|epipe)|\berrno\b|\brpc\b|connection (?:was )?(?:refused|"
    r"reset|aborted|timed out)(?! to)|\btry again (?:later|in)|\bplease (?:re)?try|\bretry (?:in|after)|requests? per "
    r"(?:second|minute|hour|day)|\btime limit of|\btimed out\b|rate.?limit|resource exhausted|\bhttp \d|status code [45]",
    r"\b(?:tool|function|api)[ -]call\b|\bavailable (?:tools|functions|actions)\b|\bnot json serializable|\bjson\b.*\b(?:pars\w*|"
    r"valid|invalid|object|decode|expected|unexpected|must)\b|\binvalid character\b|\bunexpected (?:token|end|eof|character|indent)",
    r"\b(?:exceeded|aborted|cancell?ed|cancell?ing|killed|terminated|stopped|no (?:response|reply|answer))\b.*(?:\b\d+(?:\.\d+)? ?"
    r"(?:s|ms|sec|seconds?|minutes?|milliseconds?)\b|timeout)",
    r"\b(?:your|last|previous) (?:\w+ )?(?:message|action|call|request|output|response|input)\b.*\b(?:not|n't|fail\w*|invalid|no)\b",
    r"\b(?:understand|recogni[sz]e|parse|interpret|process|execute|run|handle|complete|read)\b (?:the|your|this|that) (?:\w+ )?"
    r"(?:action|call|request|arguments|message|command|query|input)",
    r"\berror \(?\d+\)?\s*:|^[45]\d\d\s*:|\w failed:|\bexpected \d+\b.*\b(?:got|given|but)\b|\b(?:failed|unable) to (?:connect|"
    r"respond|reach|read|parse)|\blost connection|\binternal (?:server )?error|\btimeout (?:was )?(?:exceeded|expired|reached)|"
    r"\bmust (?:not )?be (?:in|between|at (?:least|most)|before|after|greater|less|one of|positive|non|an? )|\be(?:host|net)unreach",
    rf"\b{_NOUN}\b.*\b{_FAILURE}\b.*\b{_NOUN}\b|\b{_NOUN}\b.*\b{_NOUN}\b.*\b{_FAILURE}\b|\b{_FAILURE}\b.*\b{_NOUN}\b.*\b{_NOUN}\b",
    r"\bno (?:tool|function|action|method) (?:called|named|with)\b|\bexpected (?:one of|str|int|a string|an? \w+ object),? |"
    r"\bdoes not match (?:the )?(?:format|pattern|schema)|\bis not of type\b|\bis not one of \[|\bnot permitted\b.*\[type=",
)

# In a text of one short sentence a word of failure beside a thing that calls have is enough.
TERSE = _any(
    rf"\b{_FAILURE}\b.*(?:\b{_NOUN}\b|\bTOOL\b|\bPARAM\b)",
    rf"(?:\b{_NOUN}\b|\bTOOL\b|\bPARAM\b).*\b(?:{_FAILURE}|required|missing|undefined|unknown)\b",
    rf"(?:the |your )?{_NOUN} (?:\w+ )?(?:failed|error|aborted|rejected|timeout)\b",
)

# Sentences about a call without its nouns.
TERSE_START = _any(
    r"(?:execution|processing|validation|decoding|parsing|compilation|evaluation|lookup) (?:has )?failed|curl: ?\(|"
    r"(?:lexical|parse|syntax|type|network) error\b|no healthy|only \S+ \S+ (?:are|is) allowed|(?:bad|invalid) value\b|gave up waiting|"
    r"http [45]\d\d\s*$|(?:insufficient|too few|too many) (?:arguments|parameters|calls)|(?:the )?(?:api|service|server|tool) "
    r"(?:is|are|was|returned|has|had) (?:\w+ )?(?:experiencing|an? error|outage|issues|problems|trouble)|expected "
    r"(?:parameter|argument|field|\S+, (?:got|found))|(?:where is|what is|which) (?:the )?PARAM\b|invalid tool call|there(?:'s| is) no \S+ tool",
    r"PARAM\W? ?:? (?:expected|has to|must|needs|should)|TOOL (?:requires|needs|expects|lacks) \W?PARAM",
)

# Signs of prose in a short text: people, years, a title before a sentence.
PROSE = re.compile(
    r"\b(?:[Hh]e|[Ss]he|[Hh]is|[Hh]er|[Tt]heir|him|who|whose)\b|\bin (?:1\d|20)\d\d\b|\bfunction [a-z]\b|\bsuch an? |\bone's\b|\b(?:attack|theory|band|film|song|album|theorem)\b|^[^:'\"`(]{3,60}: (?:In|The|An?|It|He|She|This) ",
)

# What must be at the start of a bare sentence, before a category's own words begin.
BARE_PREFIX = re.compile(
    r"(?:(?:the|your|this|call to|in|for|calling|with)\s+)*(?:\W?TOOL\W{0,4}\s*)?(?:[\w.]+\(\)\s*)?",
    re.IGNORECASE,
)

# An article's first sentence says what its subject is; a message about a failed call does not.
ARTICLE = re.compile(
    r"(?<!there )\b(?:is|was|are|were|refers? to|describes?|denotes?|means)\s+(?:that\b|(?:an?|one of|the)\s+"
    r"(?!(?:required|mandatory|missing|valid|invalid|known|registered|necessary|problem|error|wrong|unknown|unsupported|bad|maximum|only|string|integer|number)\b)"
    r"[a-z\d\"'-]+|(?:usually|often|commonly|generally|typically)\b)",
    re.IGNORECASE,
)

# In the order in which they are tried; what none of them knows is TOOL_CALL_FAILURE.
CATEGORIES: tuple[tuple[ToolError, re.Pattern[str]], ...] = (
    (
        ToolError.PARSE_FAILURE,
        _any(
            r"\btruncated|\bcut off\b|\b(?:brace|bracket|quote)s? (?:is )?missing|not able to (?:read|parse|understand)|\binvalid format\b|\binvalid character\b|\blooking for beginning|missing '?action|json (?:decode|invalid|pars)|(?:well-formed|valid) (?:tool|function) call|"
            r"(?:not|n't) (?:an? )?(?:valid |proper |well-formed )?json\b(?! serializable)|\b(?:scanner|parser|parse|syntax) ?error"
        ),
    ),
    (
        ToolError.PARSE_FAILURE,
        _any(
            r"\bcontrol character|\blexical|\b(?:bad|invalid)[ _]json|\bin json text|make sense of|missing closing|invalid (?:tool|function) call"
        ),
    ),
    (
        ToolError.TOOL_HALLUCINATION,
        _any(
            r"\b(?:no|not|n't|unable|never|unknown|handler)\b[^.]{0,40}\b(?:tool|function|action|command|method)\b[^.]{0,20}\bTOOL\b(?! call)|"
            r"\bno \W?TOOL\W? (?:tool|function|action|command)|tool not found|handler for .{0,20}TOOL|(?:tools|functions) (?:that )?you (?:have|can)"
        ),
    ),
    (
        ToolError.PARAMETER_HALLUCINATION,
        _any(
            rf"\bnamed (?:{_PARAMETER})|\b(?:{_PARAMETER})\W? (?:that |which )?(?:it|the tool|TOOL) (?:does not|doesn't|cannot) "
            r"(?:take|accept|know|have|support|use)"
        ),
    ),
    (
        ToolError.TOOL_CALL_FAILURE,  # the interpreter's words for a bug inside the tool
        _any(
            r"has no attribute (?!\W?TOOL)|no such file|not json serializable|division by zero|index out of|"
            r"object is not (?:subscriptable|iterable|callable)|duplicate key|\b(?:zero division|index|permission) ?error"
        ),
    ),
    (
        ToolError.TOOL_HALLUCINATION,
        _any(
            rf"\b(?:no|unknown|undefined|unrecogni[sz]ed|non-?existent|unregistered|no such|hallucinated|unavailable)"
            rf"\s+(?:\w+ )?(?:{_TOOL})\b(?! (?:call )?(?:{_PARAMETER}|response|result|output|error|failed))",
            rf"\binvalid (?:{_TOOL})(?: name)?\b(?! (?:call\b|input|{_PARAMETER}|response|syntax|key))",
            rf"\b(?:{_TOOL}){_NAME}{_NOT} (?:found|defined|available|registered|recogni[sz]ed|known|offered|callable|"
            r"among|in the|one of|provided by|installed|listed|implemented|declared|part of|supported (?:by|in|for|here)|an? (?:\w+ )?(?:tool|"
            r"function|action|command|method|TOOL)|exist|on the list)(?! at \S+\.?$)",
            rf"\b(?:{_TOOL}){_NAME}(?:does|do)(?: not|n't) exist",
            rf"(?:\bnot|n't|\bnever|\bcannot) (?:find|have|know|recogni[sz]e|locate|offer|provide|resolve|see)(?: of)? (?:an?y?|"
            rf"the|such an?)? ?(?:\w+ )?(?:{_TOOL})\b",
            r"\bname \S+ is not defined|\bTOOL\W? (?:is undefined|not defined)|has no attribute \W?TOOL",
            r"\b(?:available|valid|known|registered|existing|offered) (?:tools|functions|actions|commands)\b",
            r"\b(?:tool|function|action|method)[_ -]?not[_ -]?(?:found|available|defined|exist)|unknown[_ ](?:tool|function)",
            r"\bcommand not found|method not found\b|there is no \W?TOOL\b",
        ),
    ),
    (
        ToolError.MISSING_PARAMETER,
        _any(
            rf"\bmissing (?:(?:\d+|a|an|one|the|required|mandatory|or|keyword-only|positional|value|for|empty|of|in) )*"
            rf"(?:\S+ )?\W?(?:{_PARAMETER})\b",
            rf"\b(?:{_PARAMETER})\b\W{{0,2}}(?:\S+ ){{0,3}}?(?:is|are|was|were|has been)?\s*(?:both )?(?:missing|required|"
            r"mandatory|absent|omitted|necessary|left out|not (?:provided|given|supplied|specified|set|present|"
            r"passed|sent|included|filled|optional|received)|empty|blank|null|nil)\b",
            r"insufficient (?:arguments|parameters)|where is|none was (?:sent|given|provided)|has to be (?:given|provided|set)|"
            r"has not been (?:filled|provided|given|set|supplied|specified)|can(?:'t|not) be (?:blank|empty|null)|expected \d+ "
            r"(?:\w+ )?arguments?,? (?:but )?got \d",
            r"\brequired\b[^.]{0,60}\b(?:missing|absent|omitted|not|wasn't|weren't|lacks?|left)\b",
            r"\bfield required|is (?:a )?(?:required|mandatory)|missing[_ ](?:required|field|param|arg)|required[_ ]"
            r"(?:param|field|arg)",
            r"\b(?:must|have to|need to|needs to|please|should|did not|didn't|forgot to)(?: also)? (?:provide|specify|"
            r"supply|give|include|pass|set|be (?:provided|specified|supplied|given|set|passed|present))\b",
            rf"\b(?:requires?|needs?|lacks?|without|lacking|expects?) (?:\S+ ){{0,4}}?\W?(?:{_PARAMETER})\b",
            rf"\bno (?:value|{_PARAMETER})\W? (?:\S+ ){{0,3}}?(?:was|were|provided|given|supplied|for|specified|passed|set)",
            rf"not enough (?:{_PARAMETER})|wrong number of (?:{_PARAMETER})|cannot be omitted|left out|too few (?:{_PARAMETER})|at least \d+ (?:{_PARAMETER})",
            r"\bPARAM\W? (?:was|were|is|has been)?\s*(?:n't|not) (?:been )?(?:provided|given|supplied|specified|set|present|"
            r"passed|found|included|sent)|\bexpects? \W?PARAM\W?,? but",
        ),
    ),
    (
        ToolError.WRONG_TYPE_OR_VALUE,  # before the made-up parameters: "the value of x is not allowed"
        _any(
            rf"\b(?:value|values|type)\b (?:of|for|in|given|passed)[^.]{{0,60}}\b(?:{_NOT}|invalid|wrong|cannot|must|"
            r"should|out of|incorrect|illegal|unsupported|exceeds)\b",
            r"\b(?:invalid|illegal|wrong|bad|incorrect|unexpected|unsupported) (?:\w+ )?(?:value|type|values|types|literal)\b",
            r"could not convert|unsupported operand|not supported between",
        ),
    ),
    (
        ToolError.PARAMETER_HALLUCINATION,
        _any(
            rf"\b(?:unknown|unrecogni[sz]ed|unexpected|extra|extraneous|additional|unsupported|undefined|undeclared|"
            rf"superfluous|surplus|undocumented|no such|unused|not a valid|not a known|non-?existent|invalid named)"
            rf"\s+(?:(?!end\b|of\b|token\b)\w+ ){{0,2}}?\W?(?:{_PARAMETER})\b(?! (?:type|value|format))",
            rf"\b(?:{_PARAMETER})\b(?:\s*[:(]?\s*\S+){{0,3}}?\s+{_NOT}\s+(?:recogni[sz]ed|known|expected|permitted|"
            rf"defined|accepted|supported|part of|in the|an? (?:\w+ )?(?:{_PARAMETER})|allowed|understood|declared|"
            rf"among|listed|one of the (?:{_PARAMETER}))",
            rf"\b(?:{_PARAMETER})\b(?:\s*\S+)?\s+(?:does not|doesn't|do not|should not|must not) (?:exist|belong|apply|be (?:given|present|there))",
            rf"\b(?:{_PARAMETER})\W? (?:is |was |are |were )?(?:unknown|unexpected|unrecogni[sz]ed|unsupported|undefined|forbidden|superfluous)",
            rf"[\"'`]PARAM[\"'`] {_NOT} (?:expected|known|allowed here|recogni[sz]ed|accepted|supported|permitted)|unknown name",
            rf"\b(?:does not|doesn't|do not|don't|cannot|can't|not) (?:accept|take|have|support|recogni[sz]e|define|know|"
            rf"expect|allow|contain|understand)(?: an?y?| the)? (?:\w+ ){{0,2}}?\W?(?:{_PARAMETER})\b",
            rf"\b(?:has|have|takes|accepts|is|there is) no (?:\w+ )?(?!attribute)(?:{_PARAMETER})\b",
            rf"takes (?:\w+ )*\d+ (?:positional )?(?:{_PARAMETER})|too many (?:{_PARAMETER})|extra[_ ]forbidden|"
            r"unknown[_ ](?:param|field|arg)|unexpected[_ ](?:param|field|keyword|arg)",
        ),
    ),
    (
        ToolError.WRONG_TYPE_OR_VALUE,
        _any(
            rf"\b{_TYPE} parsing\b",
            r"\bpars\w+ (?:\S+ ){0,3}?(?:date|time|int|integer|float|number|url|address|bool)\b",
        ),
    ),
    (
        ToolError.PARSE_FAILURE,
        _any(
            r"\bpars(?:e|ed|er|ing|able)\b|\bmalformed|\bsyntax|\b(?:in|not )valid[_ ]json|json ?(?:decode|pars)|"
            r"jsondecode|unterminated|unexpected (?:end|eof|token|character|indent|symbol|string)|unbalanced|"
            r"expecting (?:value|property|'|,|:|\W)|unmatched|mismatched (?:bracket|brace|quote|paren)|"
            r"deseriali[sz]|well-?formed|unclosed|unreadable|never closed|extra data|trailing (?:comma|data|char)|"
            r"eof while|eol while|premature end|(?:missing|unbalanced|expected) (?:\w+ )?(?:quote|bracket|brace|paren|"
            r"comma|colon|delimiter)|not (?:in |a )?(?:valid |proper |the )?(?:json|yaml|xml)\b|invalid (?:escape|control "
            r"character|format|json|call|function call|tool call)|(?:tool|function) call format",
            rf"{_CANNOT} (?:be )?(?:read|understand|understood|interpret\w*|decod\w*|extract\w*|make sense of) (?:the |your |"
            r"this |that |any |an? |as )?(?:\w+ )?(?:call|request|action|arguments|input|json|message|payload|body|TOOL)",
            r"no (?:valid )?(?:action|tool call|function call) (?:was )?(?:found|detected|in)|(?:action|call|arguments) "
            r"(?:format|string) ",
        ),
    ),
    (
        ToolError.TIMEOUT,
        _any(
            r"time[sd]?[ _-]?out|timedout|deadline|took (?:too long|longer|more than)|time limit|etimedout|\b(?:504|408)\b",
            r"\b(?:no|without|not|n't|never|nothing|gave no)\b[^.]{0,40}\b(?:reply|replied|respond|response|responded|"
            r"answer\w*|finish\w*|complete\w*|return\w*|heard)\b[^.]{0,50}\b(?:within|after|in time|in \d|before|by the)\b",
            r"\b(?:exceeded|over|beyond|ran|running|waited|waiting|after|gave up|killed|aborted|cancel\w+)\b[^.]{0,40}\b\d+ ?"
            r"(?:s|sec|second|ms|millisecond|minute|m)s?\b|(?:maximum|allowed|allotted|permitted) (?:\w+ )?time|too slow|time allowed|more than \d+(?:\.\d+)? ?(?:s|sec|ms|min)|gave up waiting|maximum .{0,30}time|within the allowed|time exceeded|not finish\b.{0,20}in time",
        ),
    ),
    (
        ToolError.TOOL_INSTABILITY,
        _any(
            r"rate.{0,3}limit|rate exceeded|too many (?:requests|calls|concurrent)|throttl|quota|overload|temporar|unavailable|"
            r"\b(?:is|are|currently|went|be) (?:down|offline|busy)\b|maintenance|(?:try|trying)(?: \w+)? (?:again|later)|"
            r"retry|retries|connection|connect(?:ing)? to|unreachable|\bnetwork|\bdns\b|name resolution|name or service|"
            r"getaddrinfo|outage|experiencing|could not resolve|healthy|server error|contact us|read econ|too many calls|\b(?:econ|ehost|enet)|spike|lost connection|\benotfound|\beai|\bepipe|unknown ?host|high load|exhausted|slow down|transport|\bsocket|\bssl|\btls\b|certificate|handshake|broken pipe|"
            r"remote end|disconnect|internal\b.{0,10}\berror|server error|bad gateway|upstream|backend|crash|"
            r"out of memory|no space left|capacity|segmentation|proxy|hang up|hung up|no route|\bpeer\b|outage|"
            r"\b(?:5[0-9][0-35-9]|429)\b|too busy|resource[_ ]exhausted|infrastructure|went away|reset by|request limit|"
            r"usage limit|\bper (?:second|minute|hour|day)\b|limit (?:reached|exceeded)|lost contact|not reachable|incident|degraded|worker (?:died|was|exited)",
        ),
    ),
    (
        ToolError.WRONG_TYPE_OR_VALUE,
        _any(
            r"\binvalid\b|\bnot (?:an? )?(?:valid|acceptable|accepted|allowed|permitted|one of|of type|supported)|"
            r"wrong|value ?error|type ?error|\bexpected\b|\bmust\b|should (?:be|have|match|contain)|has to be|"
            r"out of (?:range|bounds)|cannot be (?:converted|cast|interpreted|coerced|negative|zero|greater|less|empty)|"
            r"could not convert|can't multiply|illegal|too (?:long|short|large|small|high|low|big|many characters)|"
            r"exceeds|unsupported|validation|mismatch|greater than|less than|(?:allowed|permitted|valid|possible|accepted) "
            r"values|incorrect|unacceptable|\b422\b|does not match|doesn't match|unprocessable|bad value|"
            r"input should be|has to (?:lie|be)|only \S+ \S+ (?:are|is) allowed|number ?format|invalid[ _](?:date|time|number|value)|, \w+ given\b|"
            r"\b\w+ (?:parsing|type)\b|isoformat|outside\b|"
            rf"\bnot (?:an? )?(?:valid )?{_TYPE}\b|\bcoerce|\bcast\b|\bconvert|constraint|\bmalformed|outside (?:the|of)",
        ),
    ),
)

STATUS: dict[int, ToolError] = {
    # HTTP statuses that say more than "failed"; other 5xx are the infrastructure's
    408: ToolError.TIMEOUT,
    504: ToolError.TIMEOUT,
    524: ToolError.TIMEOUT,
    422: ToolError.WRONG_TYPE_OR_VALUE,
    429: ToolError.TOOL_INSTABILITY,
    501: ToolError.TOOL_HALLUCINATION,
    405: ToolError.TOOL_HALLUCINATION,
}
