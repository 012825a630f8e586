"""Terms that mean one category wherever they stand: tried before the looser patterns of `categories`, in this order."""

import re

from components.contracts.tool_errors import ToolError
from components.error_labeling.feedback.words import PARAMETER, Q, any_of

# What validators and agent frameworks say in set terms, before anything looser is tried.
SET_TERMS: tuple[tuple[ToolError, re.Pattern[str]], ...] = (
    (
        ToolError.PARSE_FAILURE,
        any_of(
            r"\baction input\b(?=.*\b(?:dictionary|json|valid)\b)|\[type=json|\bstart of (?:a|the) (?:value|property)|"
            r"\bunrecogni[sz]ed token\b|\bbreaks? off\b|\binvalid (?:function|tool)[ -]calling\b|\bexactly one (?:action|tool|call|block)\b|\barguments is a string\b|"
            r"\bboth an? (?:\w+ )?(?:action|final answer)\b"
        ),
    ),
    (ToolError.MISSING_PARAMETER, any_of(r"\[type=missing\b")),
    (
        ToolError.PARAMETER_HALLUCINATION,
        any_of(
            r"\[type=(?:extra|unexpected)",
            r"\b(?:did not|didn't) expect \W?(?-i:PARAM)\b|\bbad option\b|\bunpermitted\b|\badditional property\b|\bpassed as keyword arguments\b|\bnever asked for\b|\bvalid ones (?:are|is)\b|\b(?:cannot|can't|could not) find parameter\b",
        ),
    ),
    (
        ToolError.WRONG_TYPE_OR_VALUE,
        any_of(
            r"\[type=\w|\binput should be\b|\bno enum constant\b|\bout of (?:\w+ )?range\b|\b(?:date|time|month|day) (?:does not|doesn't) exist\b|\bdoesn't look like\b|\bdoes not look like\b",
            r"\binvalid (?:\w+ ){0,3}(?:choice|codes?|currency|country|date|email|unit|range|locale|symbol|ticker)\b(?! block)",
            r"\b(?:as|in|like|format) \W?(?:yyyy|yy|dd|mm|hh)\W",
        ),
    ),
    (
        ToolError.TOOL_HALLUCINATION,
        any_of(
            r"\b(?-i:TOOL)\W? is (?:not|n't) (?:an? )?(?:valid|known|available) (?:tool|function|action)\b"
        ),
    ),
    (
        ToolError.TOOL_HALLUCINATION,
        any_of(
            r"\bnot among the (?:\w+ ){0,2}(?:tools|functions)\b|\b(?:tools|functions) (?:that )?i (?:know|have)\b"
        ),
    ),
    (
        ToolError.MISSING_PARAMETER,
        any_of(
            rf"\brequired {PARAMETER}\b.{{0,40}}\bmissing\b|\bmissing (?!or invalid)(?:\S+ ){{0,3}}parameters?\b(?! type)",
            rf"\b(?:must|should|has to|have to) (?:contain|include|have|carry) (?:the |an? )(?:\w+ )?{PARAMETER}\b",
            r"(?:^|[\n.] ?)\W*[\w.]+\W{0,2}: required\W*(?:$|\n)|\binstead was \W?undefined|\b(?:value|argument|(?-i:PARAM))\b.{0,40}\bfound nothing\b|\bvalue expected for\b|\bnone was \w+\W*$|\bundefined is not\b|"
            r"\b(?:text|body|query|input|message|(?-i:PARAM)) is empty\b|^\W*no \w+(?: \w+)? in (?:the |your )?(?:request|call|input|body|query|arguments)\b|"
            r"(?<!TOOL )(?<!quote )(?<!brace )(?<!bracket )(?<!comma )(?<!colon )(?<!parenthesis )(?<!tag )\b(?:is|are) missing\W*$",
            rf"\brequired {PARAMETER}\b.{{0,40}}\bnot (?:found|present)\b|\b(?:body|request|call|input) has no \w+|^\W*what(?:'s| is) (?:the|your) ",
            r"^\W*missing (?:\w+ ){1,2}\w+\W*$|\brequired\. missing\b|^\W*(?:the )?(?:empty|blank) (?:query|input|\w+)\W*$",
        ),
    ),
    (
        ToolError.PARAMETER_HALLUCINATION,
        any_of(r"\b(?:leave out|drop|remove)\b.{0,30}\b(?-i:PARAM)\b|\bfield \S+ cannot be set\b"),
    ),
    (
        ToolError.TOOL_CALL_FAILURE,
        any_of(
            r"(?-i:\b(?!TOOL)[a-z]\w*): command not found(?!\W+TOOL)|\bconstraint failed\b|\bdoes(?: not|n't) match any (?:pages?|records?|files?|documents?|entr\w+|items?|known)\b|"
            r"\b(?:column|constraint) (?!\W?(?-i:PARAM))\S+ (?:does not|doesn't) exist"
        ),
    ),
)

# Where one pattern would do for two categories, these decide.
EXACT: tuple[tuple[ToolError, re.Pattern[str]], ...] = (
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
            r"given|passed|present|filled in|filled|included|sent|stated|there|non-?empty|set)\b(?! (?:as|to|in|at|"
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
        ToolError.PARAMETER_HALLUCINATION,
        any_of(
            r"\b(?:no|not have an?) \W?(?-i:PARAM)\W? (?:parameter|argument|field|option)\b|"
            r"\b(?:supported|allowed|known|accepted) (?:parameters|arguments|fields|options|properties)\b",
            rf"\bextra (?:forbidden|inputs?|keys?|propert\w+|{PARAMETER})\b|\bunknown name\b",
            rf"\b(?:no|not have an?) (?:such )?(?:{PARAMETER}|setter|keyword) (?:called |named |for )?{Q}(?-i:PARAM)\b"
            rf"(?! (?:was|is|were) )",
            r"(?-i:\bPARAM)\b\W* (?:was |is )?(?:not|n't) (?:found|known|declared|listed) (?:in|by|to|for) \W?(?-i:TOOL)\b",
        ),
    ),
    (
        ToolError.WRONG_TYPE_OR_VALUE,
        any_of(r"\bvalid \w+ is required\b", r"(?-i:\bPARAM)\W* (?:has|is in) an? (?:invalid|wrong|bad)\b"),
    ),
    (
        ToolError.MISSING_PARAMETER,
        any_of(
            r"[\"'`]required[\"'`](?! (?:property|field))",
            r"\b(?:received|got)\b\W+(?:undefined|null|none)\b",
            r"\bnull value in column",
            r"\bmust not be (?:null|none|empty|blank)\b",
        ),
    ),
    (
        ToolError.TOOL_HALLUCINATION,
        re.compile(
            r"[Nn]o module named \W?TOOL|^\W*(?:Key ?Error|Lookup Error)\W+TOOL\W*$|\bTOOL: not found$"
        ),
    ),
    (
        ToolError.TOOL_INSTABILITY,
        any_of(
            r"rate.?limit|\b(?:ssl|tls)\b|\bquotas?\b|over query limit|request limit exceeded|too many requests|\bno route\b(?! for|.{0,9}\bTOOL)"
        ),
    ),
    (
        ToolError.TOOL_HALLUCINATION,
        re.compile(
            r"(?i:unknown|unsupported|no such|invalid|undefined) (?i:tool|function|action|"
            r"method)(?i: name)?\W+TOOL\b"
        ),
    ),
    (
        ToolError.PARAMETER_HALLUCINATION,
        re.compile(r"PARAM\W* (?i:is not an? (?:\w+ )?(?:argument|parameter|option|field))"),
    ),
    (
        ToolError.MISSING_PARAMETER,
        re.compile(
            r"PARAM\W* (?i:(?:must|has to|needs to|should) be (?:supplied|provided|given|specified|set|"
            r"passed|present|filled|included)|(?:can|must|may|should)(?:not| not|n't) be (?:left )?(?:none|null|"
            r"empty|blank|undefined|omitted))|^\W*Key ?Error\W+PARAM\W*$|\b(?i:missing|required|blank|"
            r"null)\W+PARAM\W*$"
        ),
    ),
    (
        ToolError.PARAMETER_HALLUCINATION,
        re.compile(
            r"(?i:unexpected|unknown|unrecogni[sz]ed) (?i:keyword )?(?i:arguments?|parameters?|fields?|"
            r"propert(?:y|ies)|keywords?|options?|keys?|flags?)\b(?! (?i:value|type))|(?<!value of)(?<!value of )\WPARAM\W* (?i:is|"
            r"was) (?i:not allowed|not expected|unexpected|unknown|unsupported)|"
            r"PARAM\W* (?i:was unexpected)"
        ),
    ),
)
