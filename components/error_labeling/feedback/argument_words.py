"""What is said of arguments of failed calls: missing, made up, of a wrong type or value."""

from components.error_labeling.feedback.words import (
    BE,
    CANNOT,
    ISNT,
    KNOWN,
    NOT,
    PARAMETER,
    THING,
    TYPE,
    UNKNOWN,
    Q,
    any_of,
)

CONVERT = any_of(
    rf"\b{TYPE}[ _](?:parsing|type|from)|\bpars\w+ (?:\S+ ){{0,4}}?(?:(?:as|to|"
    rf"into) (?:an? )?(?:valid )?{TYPE}\b|date\b|(?:an? )?int|(?:an? )?float|(?:a )?number|url|address|"
    rf"bool|time \")|base 10|could not convert|cannot convert|failed to convert|convert value|strconv|"
    rf"isoformat|number ?format|date ?time ?parse|parse (?:int|float|date|bool)|"
    rf"as (?:an? )?(?:valid )?(?:int|integer|float|number|date|boolean|bool|url|time)\b|"
    rf"unsupported operand|not supported between|can only concatenate|invalid digit|input syntax for|"
    rf"invalid literal|\bunmarshal \w+ into|domain error|type[ _]mismatch|(?:json )?value type|ind(?:ex|"
    rf"ices) must be|not of type|object is not iterable|must be real|\b(?:arithmetic|value|"
    rf"type) ?error\b(?!.{{0,60}}(?:argument|keyword|required|missing))",
)
VALUE = any_of(
    rf"\bvalues?\b (?:\S+ ){{0,2}}?(?:of|for|in|given|passed|at|supplied)\b[^.]{{0,60}}(?:{NOT}|\binvalid|"
    rf"\bwrong|\bmust\b|\bshould\b|\bout of|\bincorrect|\billegal|\bunsupported|\bexceeds|\boutside|"
    rf"\btoo\b|\bfailed)",
    rf"\b(?:invalid|illegal|wrong|bad|incorrect|unexpected|unsupported|unacceptable|improper|"
    rf"inappropriate) (?:\w+ )?(?:value|type|values|types|literal|data type|enum|{TYPE})\b(?! named)(?! of (?:arguments|parameters))",
    rf"\b(?-i:PARAM)\W*:?\s*(?:\S+ ){{0,4}}?(?:must (?:be|contain|have|match|lie|not be (?!null|blank|empty))|"
    rf"should (?:be|have|match|contain|lie)|has to (?:be|lie|match)|needs to be (?!given|provided|set|"
    rf"specified)|expect\w* (?:an? )?(?:{TYPE}|one of)|accepts only|only accepts|out of|outside|exceeds|"
    rf"is too|cannot be (?!null|empty|blank|omitted|found)|is (?:not )?(?:an? )?(?:in)?valid|has (?:an? |"
    rf"the )?(?:in)?(?:valid|wrong|correct)|too (?:long|short|large|small))",
    rf"\b(?:value|VALUE)\W? (?:is |was )?{NOT}|enum value|expected (?:an? |"
    rf"the )?(?:\S+ )?{TYPE}\b[^.]{{0,40}}(?:\bgot|\breceived|\bgiven|\bfound|\bnot\b|\bbut|\binstead)|"
    rf", {TYPE} given|not (?:an? )?(?:valid |legal )?(?:choice|{TYPE}\b(?! to))",
)
MISSING = any_of(
    rf"\bmissing (?:\w+ ){{2,3}}(?:{PARAMETER})\b|{CANNOT} [^.]{{0,60}}\bwithout (?:an?|the|any|your)\b|"
    rf"\bmissing (?:(?:\d+|an?|one|the|required|mandatory|or|keyword-only|positional|request|query|body|"
    rf"value|for|empty|of|in|following) )*(?:\S+ )?{Q}(?:{PARAMETER})\b|\bmissing[: ]+{Q}(?-i:PARAM)|"
    rf"\bmissing (?:keyword|\d+|required)|\b(?:missing|absent)[_ ](?:\w+[_ ])?(?:field|param|arg|value)",
    rf"\b(?:{PARAMETER})\b\W{{0,3}}\s?{THING}(?:(?:is|are|was|were|has been|have been|must be|both|"
    rf"not be) ?)*(?:missing|required|mandatory|absent|omitted|necessary|needed|left out|empty|blank|null|"
    rf"nil|undefined but required)\b(?! (?:\S+ )?(?:to be|an?) )",
    rf"\b(?:{PARAMETER})\b\W{{0,3}}\s?{THING}(?:(?:is|are|was|were|has|have|been|does|did) ?)*(?:not|n't|"
    rf"never) (?:been |have (?:an? )?)?(?:provided|given|supplied|specified|set|present|passed|sent|"
    rf"included|filled|received|optional|default|there|found(?=.{{0,15}}$))",
    r"\brequired\b[^.]{0,60}\b(?:missing|absent|omitted|not|wasn't|weren't|lacks?|left|undefined|no)\b|"
    r"\brequired$|\b(?:field|this field is|body is|is a|parameter is|is) (?:required|mandatory)\b|"
    r"\bare required\b|\brequired (?:field|param|arg|property|keyword|positional|request|key|string|query)",
    rf"\b(?:must|have to|need to|needs to|please|should|did not|didn't|forgot to|failed to|be sure to|"
    rf"you need)(?: also)? (?:provide|specify|supply|give|include|pass|set|fill|be (?:provided|specified|"
    rf"supplied|given|set|passed|present|included))\b|\bforgot\b|\b(?:provide|specify|supply|"
    rf"include|add) (?:an? |the |your )?(?:\w+ )?{Q}(?:(?-i:PARAM)|{PARAMETER})",
    rf"\b(?:requires?|needs?|lacks?|without|lacking|expects?|wants?|"
    rf"incomplete)\b:? (?:\S+ ){{0,4}}?{Q}(?:{PARAMETER})\b|\bargument is needed",
    rf"\bno (?:value|{PARAMETER})\W? (?:\S+ ){{0,3}}?(?:was|were|provided|given|supplied|for|specified|"
    rf"passed|set|found)\b|\bno {Q}(?-i:PARAM)|none was (?:sent|given|provided)|\bhas no value|has none|"
    rf"left (?:it |this |that )?(?:empty|out|blank)|nothing to \w+",
    rf"not enough (?:{PARAMETER})|\bneeds? (?:both|at least)\b|wrong number of (?:{PARAMETER})|insufficient (?:{PARAMETER})|"
    rf"cannot be omitted|too few|argument count error|at least \d+ (?:{PARAMETER})|"
    rf"expected \d+ (?:\w+ )?arguments?,? (?:but )?got [\d]|(?:can(?:'t|not)|must not|should not|may not|"
    rf"not) be (?:blank|empty|null|none|left out|undefined|omitted)|not-null|not null|(?:received|"
    rf"got) (?:undefined|null|nothing)|\bwhere is\b|what should i use|have a default|"
    r"(?<!TOOL )(?<!TOOL\W )\bmissing\b(?! (?:quote|brac|paren|comma|colon|delim|closing|opening|bracket|tag|module|file))|\bunspecified\b|\bnone given\b|"
    r"\bno \w+(?: \w+)? (?:was |were )?(?:given|provided|specified|supplied|passed)\b|\bdo you mean\b|\bneed to (?:say|know|tell)\b|"
    r"^\W*(?:tell|give|ask) (?:me|us|the user)\b|\bi (?:still |also )?need (?:an?|the|one|your|at least)\b|"
    rf"\blacks? (?:an?|the|its|any)\b|\b(?:requires?|needs?) (?:an?|at least|either|both) (?!{TYPE}|valid|positive|real|@)|"
    r"^\W*please tell me\b|\btell me which\b|\bno value for\b",
)
EXTRA = any_of(
    rf"\b{UNKNOWN}(?: or \w+)?(?: (?!end\b|of\b|token\b|type\b|"
    rf"value\b)\w+){{0,2}}? ?{Q}(?:{PARAMETER})\b(?! (?:type|value|format|error))|\b(?:illegal|"
    rf"disallowed|not a valid|not a known|not a recogni[sz]ed|invalid (?:named|query|"
    rf"keyword)) (?:{PARAMETER})\b|unknown (?:name|shorthand|key)|\bnot a (?:\w+ )?(?:parameter|argument|"
    rf"option|field)\b",
    rf"\b(?:{PARAMETER})\b\W{{0,3}}\s?{THING}{BE}(?:not|n't|never) (?:an? |a valid |currently |one of |"
    rf"be )*(?:recogni[sz]ed|known|expected|permitted|defined|declared|accepted|supported|part of|in the|"
    rf"allowed|understood|among|listed|one of|exist|given here|a (?:known|valid|recogni[sz]ed|"
    rf"supported))(?! (?:value|choice))",
    rf"\b(?:{PARAMETER})\b\W{{0,3}}\s?{THING}(?:does not|doesn't|do not|should not|must not|don't|"
    rf"cannot) (?:exist|belong|apply|be (?:given|present|there|found|used|passed|set here))|"
    rf"\b(?:{PARAMETER})\W? {THING}(?:is |was |are |were )?(?:unknown|unexpected|unrecogni[sz]ed|"
    rf"unsupported|undefined|forbidden|superfluous|disallowed|redundant)\b",
    rf"(?:does not|doesn't|do not|don't|cannot|can't|did not|not|never|{NOT}) (?:accept|take|have|support|"
    rf"recogni[sz]e|define|know|expect|allow|contain|understand|declare|want)(?:s|ed)?(?: an?y?| the|"
    rf" such an?| it)? ?(?:\w+ ){{0,2}}?{Q}(?:{PARAMETER}|keyword)\b|\b(?:has|have|takes|take|accepts|"
    rf"accept|knows|is|there is|there's) no (?:\w+ )?(?!attribute|value)(?:{PARAMETER})\b(?! (?:was|were|"
    rf"given|provided|supplied))",
    rf"takes (?:\w+ )*\d+ (?:positional )?(?:{PARAMETER})|too many (?:positional )?(?:{PARAMETER})|"
    rf"extra (?:inputs|forbidden|keys?)|additional propert|(?:only|just) (?:takes|accepts)|"
    rf"is none of (?:them|these)|provided but not defined|unexpected (?:keyword|param|field|arg|key)|"
    rf"\bnamed (?:{PARAMETER})\b|\b(?-i:PARAM)\W? {ISNT}(?:{KNOWN})|\b(?-i:PARAM)\W? (?:does|do|should|must)(?: not|"
    rf"n't) (?:exist|belong|apply)|(?:it|the tool|TOOL) (?:does not|doesn't|cannot) (?:take|accept|know|"
    rf"have|support|use)\b|\bpassed \W?(?-i:PARAM)|wasn't expected|remove \W?(?-i:PARAM)|no such (?:option|parameter|"
    rf"argument|field|keyword)",
)
WRONG = any_of(
    rf"\binvalid\b|\bnot (?:an? )?(?:\w+ )?(?:valid|legal|acceptable|accepted|allowed|permitted|one of|"
    rf"of type|supported|recogni[sz]ed|between|in range)|(?<!went )\bwrong|value ?error|type ?error|"
    rf"illegal ?argument|\bexpected\b|\bmust\b|should (?:be|have|match|contain)|(?:has|have|needs?) to (?:be|lie|match|have)\b|\bbetween -?\d|\bno (?:time ?zone|currency|country|language|unit|city)\b(?! (?:was |is )?(?:given|provided|specified|set|passed))|\b(?:choose|pick) (?:an? )?(?:value|one)\b|\bunpars[ea]+ble (?:date|time|number)|\bonly (?:\S+ ){1, 7}allowed\b|\b(?:unknown|unrecogni[sz]ed|unsupported) \w+ [\"'`]|out of (?:range|"
    rf"bounds)|(?:cannot|can't|must not|should not|may not) (?:be )?(?:convert|cast|coerc|interpret|negative|zero|below|above|under|over|greater|less|lower|higher|larger|smaller|more|lie)|"
    rf"(?:n't|\bnot) an? {TYPE}\b|\b(?:code|number|unit|currency|language|locale|name|symbol) \S+ (?:is )?(?:unknown|wrong|not known)\b|"
    rf"\bonly (?:\w+ ){{1,3}}(?:may|can) be (?:used|given)\b|\b\w+ digits\b|(?:below|above|under) the (?:min|max|limit)|makes no sense|checksum|\bmalformed\b|"
    rf"can't multiply|\billegal|too (?:long|short|large|small|high|low|big|many characters)|"
    rf"exceeds|unsupported|validation|mismatch|greater than|less than|(?:allowed|permitted|valid|possible|"
    rf"accepted|following) (?:values|choices|options)|incorrect|unacceptable|\b422\b|does(?: not|"
    rf"n't) match|unprocessable|bad (?:value|request)|input should be|only \S+ \S+ (?:are|is) (?:allowed|"
    rf"accepted)|accepts only|, \w+ given\b|\b\w+ (?:parsing|type)\b|\boutside\b|unknown (?:locale|"
    rf"time ?zone|currency|language|unit|country|code)|\bnot (?:an? )?(?:valid )?{TYPE}\b|\bcoerce|"
    rf"\bcast\b|\bconvert|constraint|no real\b|\b(?:in|of) the past|before|\bensure",
)
