"""The vocabulary of complaints: nouns of calls and of what they work on, predicates of failure, requests to the caller."""

TECHNICAL = (
    r"(?:hostname|params?|json|api|database|payload|schema|endpoint|tool|callable|upstream|backend|"
    r"gateway|proxy|dns|ssl|tls|handshake|sandbox|"
    r"credentials|authentication|authori[sz]ation|api key|header|url|uri|syntax|bracket|brace|integer|"
    r"float|boolean|bool|array|dict|index|keyword|"
    r"kwargs?|enum|datetime|timestamp|time ?zone|locale|language code|identifier|regex|attribute|quota|"
    r"deadline|plugin|handler|invocation|packet|"
    r"null|eof|http|rpc|sql|repository|operand|token|query|socket|stack|thread|worker|client|output|input|"
    r"execution|transaction|module)s?"
)
NOUN = (
    r"(?:server|host|request|function|method|argument|parameter|connection|operation|call|response|"
    r"network|process|container|memory|session|"
    r"permission|quote|string|object|option|flag|column|table|relation|resource|directory|statement|node|"
    r"stream|protocol|signal|command|operator)s?"
)
WEAK_NOUN = (
    r"(?:type|value|field|property|properties|key|id|code|date|number|character|digit|literal|pattern|row|"
    r"record|file|path|format|account|user|"
    r"order|item|document|page|limit|plan|subscription|lock|action|route|body|message|data|result|program|"
    r"script|step|task|job|service|system|"
    r"queue|pool|cluster|instance|model|port|peer|name|text|time|range|length|choice|answer|reply|website|"
    r"city|scope|access|payment|booking|reservation|seat|ticket|mailbox|balance|funds|card|currency|month|"
    r"year|day|latitude|longitude|symbol|ticker|postcode|coordinates|email|amount|address|provider|call)s?"
)
FAILED = (
    r"(?:fail|failed|fails|failing|failure|invalid|missing|unexpected|unsupported|unrecogni[sz]ed|"
    r"undefined|unavailable|unreachable|"
    r"unauthori[sz]ed|refused|rejected|denied|forbidden|aborted|interrupted|crashed|exceeded|exceeds|"
    r"expired|exhausted|overloaded|throttled|"
    r"disconnected|terminated|corrupt|corrupted|malformed|illegal|incorrect|unable|impossible|mismatch|"
    r"mismatched|duplicate|incomplete|"
    r"truncated|unterminated|unclosed|unbalanced|unmatched|unreadable|unresolved|insufficient|timed out|"
    r"outage|hallucinated|unimplemented|"
    r"violates|violation|superfluous|omitted|declined|panicked|overflow|deadlock|null|nil|dangling|"
    r"problems?|trouble|outside|unregistered|unknown|lacks?|lacking|wrong|died|discarded|read-only|unpars[ea]+ble|gave up)"
)
ERROR = r"(?:error|exception|errors|fault|timeout|time-out)"
WEAK_FAILED = (
    r"(?:reset|closed|lost|broken|killed|dropped|conflict|locked|blocked|stale|bad|empty|blank|down|"
    r"offline|busy|extra|stopped|cancell?ed|"
    r"cancell?ing|too (?:many|few|long|short|large|small|big|old|high|low|much|slow)|out of|without|"
    r"absent|forgot|gave up|went away|suspended|"
    r"disabled|none|nothing|limit)"
)
MUST = (
    r"(?:must|should|has to|have to|had to|needs? to|required|requires|mandatory|expected|expects|"
    r"expecting|ensure|needed|only (?:accepts|takes))"
)
ASK = (
    r"(?:please|try again|retry|check|make sure|contact|did you mean|you (?:must|need|are not|aren't|"
    r"cannot|can't|did|didn't|provided|passed|gave|"
    r"called|tried|forgot|requested|entered|supplied)|your|valid (?:options|values|tools|choices)|"
    r"available (?:tools|functions|actions)|accepted|allowed values|use one)"
)
