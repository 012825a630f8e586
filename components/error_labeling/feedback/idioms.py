"""Phrases said of failed calls and hardly of anything else; they count wherever they stand."""

from components.error_labeling.feedback.words import (
    CALL,
    CANNOT,
    GIVEN,
    KNOWN,
    NOT,
    PARAMETER,
    SECONDS,
    TOOL,
    TYPE,
    UNKNOWN,
    any_of,
)

# Set phrases of networks, interpreters, validators, databases and agents.
IDIOMS = any_of(
    r"\b(?:is|are) (?:currently|temporarily) (?:overloaded|unavailable|down|offline|unreachable|busy)|\bat capacity\b|"
    r"\bexceeds? (?:the )?(?:maximum|limit|allowed)|\bduring your (?:call|request)",
    r"\b(?:max(?:imum)? )?retries exceeded|connection (?:\w+ )?(?:refused(?! to)|reset|aborted|timed|"
    r"broken|lost|clos\w+|terminated|dropped|is closing|attempts? failed)|\btime-?out (?:of \S+ )?(?:exceeded|expired|reached)|"
    r"\bexpected [`'\"].{1,12}[`'\"],? (?:after|before|but|or|got|at)\b|\btimed[ -]?out\b(?! of)|\bdeadline (?:was )?(?:exceeded|expired)|"
    r"\brate.?limit(?:ed|s? (?:exceeded|reached|hit)|ing)?\b(?! for | on |: ?\d)|\brate exceeded|"
    r"too many (?:requests|calls|connections|clients)|\bquota (?:\w+ )?(?:exceeded|reached|used)|"
    r"exceeded (?:\w+ ){0,4}(?:quota|rate limit|deadline|budget)|"
    r"\b(?:econn|etimedout|enotfound|eai ?again|epipe|ehostunreach|enetunreach|esocket)\w*|\berrno\b|"
    r"\bgetaddrinfo|name or service not known|name resolution|socket hang up|broken pipe|reset by peer|"
    r"bad gateway|service (?:temporarily )?unavailable|internal server error|gateway time-?out|"
    r"temporarily (?:unavailable|overloaded|unable|down)|(?:server|host) has gone away|\bi/o (?:timeout|"
    r"error)|no healthy upstream|"
    r"unexpected (?:token|end of|eof|character|indent|symbol|keyword|arguments?|parameters?|field|"
    r"property|option|identifier)|positional arguments?|keyword arguments?|(?:execution|statement|request|"
    r"response) time(?:-?out| limit| exceeded)",
    r"unterminated|\bunclosed|was never closed|not json serializable|invalid (?:literal|escape|json|"
    r"isoformat|syntax|digit|argument|parameter|api key|credentials|payload|input syntax|request|url)|"
    r"(?:field|argument|parameter|property|this field is|is a) required\b|required property|"
    r"additional propert|extra inputs|unrecogni[sz]ed key|not supported between|unsupported operand|"
    r"object has no attribute|is not (?:subscriptable|iterable|callable|json)|index out of (?:range|"
    r"bounds)|ind(?:ex|ices) must be|referenced before assignment|"
    r"division by zero|null pointer|cannot read propert|cannot unmarshal|could not convert|"
    r"failed to convert|cannot (?:be )?(?:convert|cast|coerce)(?:ed)?\b|\bstrconv|"
    r"\bname \S+ is not defined|(?-i:TOOL)\W? is (?:not defined|undefined)|does not match (?:format|"
    r"pattern|the (?:format|pattern|schema|regex))|base 10: |"
    r"segmentation fault|core dumped|\bno space left|stack overflow|memory address|violates|unhashable|"
    r"cannot import|is not a function\b|not a valid choice|is not a valid (?:tool|function|value|option|"
    r"enum|integer|number|date|email|url|json)|\beof occurred",
    r"json (?:parse|decode|pars\w+) ?error|\bnot (?:a )?valid json\b|(?:could not|unable to|failed to|"
    r"problems?|error|cannot) (?:\w+ ){0,2}(?:pars\w+|decod\w+|serializ\w+|deserializ\w+)\b|"
    r"unexpected end of|extra data:|trailing (?:comma|data|characters)|line \d+,? column \d+|\(char \d+\)|"
    r"at position \d+\b|"
    r"foreign key|violates \S+ constraint|duplicate (?:key|entry)|no such (?:file|table|column|tool|"
    r"function|option|key|element|host|module|method|parameter|argument|customer|user|action|command|"
    r"property|field|attribute)\b|command not found|"
    r"tls handshake|certificate verify|\bhttp (?:error|status)?\s?[45]\d\d|status code:? [45]\d\d|\[type=|"
    r"\b(?:type|value|key|index|attribute|runtime|syntax|parse|validation|network|connection|"
    r"protocol) error:|not authori[sz]ed to|not subscribed|(?:statement|lock|read|write|connect|"
    r"connection|request|query|socket|network|execution) time-?out|"
    r"(?:not|n't|no)\b.{0,30}\b(?:respon[ds]|reply|answer|finish|complete|come back|"
    r"return)\w*\b.{0,30}\b(?:within|in time|after|before the)\b|took (?:too long|longer) (?:to|than)|"
    r"\bsig(?:kill|term|segv)\b|exited with (?:code|signal|status)|(?:tool|function)[ -]call(?:s|"
    r"ing)?\b(?=.*(?:not|no |could|fail|invalid|incomplete|reject|miss|close|detect|truncat|unknown|"
    r"broken|bad))",
)

# Sentences that put a predicate of failure to a noun of calls.
STATEMENTS = any_of(
    r"^\w+(?: \w+)? (?-i:required|declined|rejected|refused|denied|failed|expired|exceeded|missing|unavailable|invalid)\W*$",
    rf"\b{UNKNOWN} (?:\w+ ){{0,2}}?\W?(?:{TOOL}|{PARAMETER})\b",
    rf"\b(?:missing|invalid|incorrect|wrong|bad|illegal|malformed|unsupported|required|insufficient|"
    rf"too (?:few|many)|not enough) (?:\w+ ){{0,2}}?\W?(?:{TOOL}|{PARAMETER}|{CALL}|value|values|{TYPE}|"
    rf"format|credentials|token|choice|code|permissions?|arguments?)\b",
    rf"\b(?:{TOOL}|{PARAMETER}|{TYPE}|(?-i:VALUE)|code|value)\b\W*(?:\S+\s+){{0,4}}?(?:(?:is|are|was|were|"
    rf"has|have|been|does|do|did|could|can) )?{NOT} (?:an? |the |yet |currently |"
    rf"a valid )*(?:\w+ )?(?:{KNOWN}|{GIVEN}|valid|exist|accept|take|support|allow|legal)",
    rf"\b{CANNOT} (?:be )?(?:\w+ )?(?:execut|complet|process|retriev|fetch|perform|comput|evaluat|handl|"
    rf"load|pars|decod|resolv|connect|reach|contact|access|authenticat|deseriali|validat|invok|look ?up|"
    rf"locat|interpret|understand|identif|read|extract|proceed|serve|fulfil|satisf|convert|find (?:a |"
    rf"the |any |an )?(?:tool|function|action|TOOL|method|handler|parameter))",
    r"\b(?:could not|cannot|can't|couldn't) be (?:saved|loaded|opened|created|updated|deleted|sent|read|written|processed|"
    r"verified|reached|executed)\b|^not an? (?:valid|known|supported|recogni[sz]ed)\b|\bcircuit.?breaker\b",
    rf"\b{CALL} (?:\w+ )?(?:ends?|ended|stops?|stopped|breaks off|broke off|is cut|was cut)\b|"
    rf"\b{CALL} (?:\w+ )?(?:was|were) {NOT} (?:read|parsed|executed|run|decoded|understood)\b",
    r"\b(?:service|server|site|website|system|api|tool|network|host|backend|(?-i:TOOL)) is (?:currently |"
    r"temporarily )?(?:down|offline|unavailable|busy|overloaded|unreachable|not (?:available|responding|"
    r"reachable|answering))|\b(?:is|are) (?:not|n't) (?:answering|responding|reachable)\b|\b(?:is|are|lies?) in the (?:past|future)\b|"
    rf"(?:isn't|is not|aren't|are not) (?:an? )?{TYPE}\b",
    r"\b(?:unsupported|invalid|unknown|unrecogni[sz]ed|illegal|bad|wrong|incorrect) (?:\w+ )?(?:language|"
    r"currency|country|unit|region|encoding|extension|zip|time ?zone|locale|symbol|ticker|city|id|code|"
    r"date|email|number|address|username|password|choice|mode|operation|operator|type|file|media|url|"
    r"range|length|format|credentials)\b",
    r"\b(?:must|should|has to|needs to|have to) (?:not )?(?:be|contain|have|match|lie|start|end|begin|"
    r"equal|include|not)\b",
    rf"\bexpected (?:an? |the )?(?:\S+ )?{TYPE}\b|\bexpected\b.{{1,60}}\b(?:got|received|found|given|"
    rf"instead|actual|but)\b|, (?:but )?(?:got|received|given) ",
    r"\b(?:is|are|was|were) (?:currently |temporarily |already |no longer )?(?:required|mandatory|missing|"
    r"undefined|unknown|invalid|unsupported|empty|absent|unreachable|overloaded|unavailable|forbidden|"
    r"disabled|locked|suspended|rejected|denied|malformed|interrupted|not (?:supported|found|valid|"
    r"allowed|permitted|recogni[sz]ed|available|reachable|provided|responding|accepted|implemented|"
    r"installed|registered|one of))\b",
    rf"\bno \W?[\w-]+\W? (?:was |were |is |has been )?(?:{GIVEN})\b(?<!found)(?<!there)|\b(?:has|have|"
    rf"needs?) to be (?:{GIVEN})\b",
    r"\b(?:can't|cannot|can not|must not|may not|should not) be (?:blank|empty|null|none|omitted|left out|"
    r"negative|zero|found|used|called|executed)\b|\bnot (?:be )?null\b",
    r"\b(?:please )?(?:provide|specify|supply|include|pass|give)\b.{0,40}(?:\b(?-i:PARAM)\b|"
    r"\b(?:parameter|argument|value|date|key|field|token)\b)",
    rf"\b(?:please|and) (?:try again|retry)\b|\b(?:try again|come back|retry) (?:later|in \w+)\b|"
    rf"\bslow down\b$|\bcontact (?:us|support|the (?:api )?(?:provider|administrator))|\b(?:after|within|"
    rf"exceeded|over|for|waited|more than|than) {SECONDS}|time (?:limit|budget)\b(?!: )|time allowed|"
    rf"\bhigh load\b|\bhas an outage|experiencing",
    r"(?:\b(?:user|file|page|record|order|item|city|id|resource|document|entry|account|project|repository|"
    r"object|movie|product|event|(?-i:VALUE)|[A-Z]\w+)\b ?\S{0,30} (?:(?:does not|doesn't|do not|"
    r"don't) exist|(?:was |is |were |could |can)?(?: ?not|n't)(?: be)? (?:found|located|retrieved))|"
    r"\bnot found)\W*$",
    r"\b(?:was|is|were|are|has been|have been|been|has already been|is already) (?:already )?(?:declined|rejected|denied|refused|"
    r"blocked|suspended|archived|locked|taken|sold(?: out)?|used up|disabled|revoked|expired|deleted|unreachable|cut|"
    r"fully booked|full|under maintenance|restarting|private|closed)\W*$",
    r"\byou (?:do not|don't|are not|aren't|may not|cannot|can't|must be|must first|need to|have to|"
    r"have (?:used|reached|exceeded|hit|run out|no)|did not|didn't|lack|already|haven't|have not|called|"
    r"passed|sent|gave|are sending)\b|\byou're (?:not|sending)|\b(?:i|we) (?:was|were) hoping\b",
    rf"(?:\bnot?\b|n't|\bnothing\b|\bnever\b).{{0,40}}(?:\bin time\b|\bin {SECONDS})|\b(?:hung|stalled|"
    rf"stuck|froze)\b|wall ?time|(?:ran|running|run) out of (?:time|memory)|"
    rf"\bbefore \S+ (?:had )?(?:finished|replied|answered)|taking too long|deadline passed|\bno route\b(?! is)|"
    rf"under maintenance|too quickly|(?:daily|monthly|hourly) limit|\b\d+ (?:calls|requests) (?:a|per) \w+",
    r"\bin (?:a valid |valid |proper |the )?(?:json|required|expected|correct) ?(?:format)?\b|\b(?:got|"
    r"received) (?:an? )?(?:unexpected|unknown|invalid|empty)\b|\bin your (?:request|call|input|"
    r"message)\b|\b(?:closing|opening|opened|closed) (?:tag|bracket|brace|quote|parenthesis)|valid json|"
    r"end of (?:input|file|stream|text)|out of (?:memory|range|bounds)|access denied|permission denied|"
    r"not authori[sz]ed|(?:execution|request|query|operation|statement) (?:was |is |"
    r"has been )?(?:interrupted|killed|stopped|cancel\w+)",
)
