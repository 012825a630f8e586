"""What is said of calls, tools and services that failed: unreadable, unknown, late, lost, refused."""

from components.error_labeling.feedback.words import (
    CANNOT,
    DURATION,
    FORMAT,
    ISNT,
    KNOWN,
    NOT,
    PARAMETER,
    SECONDS,
    THING,
    TOOL_NOUN,
    TYPE,
    UNKNOWN,
    Q,
    any_of,
)

# What a tool looks up: that one is not there says nothing against the call's form.
RESOURCE = (
    r"(?:file|directory|folder|page|document|record|report|order|user|customer|account|item|entry|object|table|row|"
    r"project|repository|product|event|article|city|location|channel|chat|message|specified key)s?"
)
# What a tool's own code, data or permissions say: its words look like others' below.
OWN = any_of(
    rf"no such {RESOURCE}|\b{RESOURCE}\b[^.:]{{0,40}}? (?:(?:was |is |were |could )?(?:not|n't) (?:be )?found|"
    rf"(?:does not|doesn't|do not|don't) exist)|\bcode = Not ?Found|\b(?:operation|action) (?:is |was )?not permitted|"
    r"unhashable|\bnil:|has no attribute (?!\W?TOOL)|no such (?:column in result)|not json serializable|"
    r"division by zero|index out of|referenced before assignment|"
    r"object is not (?:subscriptable|callable)|duplicate (?:key|entry)|\b(?:zero ?division|index|"
    r"permission|illegal state|null pointer|file not found|no such element|runtime) ?(?:error|exception)|"
    r"nil pointer|cannot read propert|not associated with a value|relation \S+ does not exist|"
    r"no value present|unwrap\(\)` on a `None`|fatal: not a git|"
    r"\baccess denied|permission|\brights\b|sign(?:ed)? in\b|\blog ?in\b|password|authori[sz]|\bauthenticat|credentials|api[ _]?key|log in|logged in|"
    r"subscribed|forbidden|\b40[13]\b|not allowed to|access to (?:this|the)|expired token|token (?:is|"
    r"has) (?:unknown|expired)",
)
TIMEOUT = any_of(
    r"\btime[sd]?[ _-]?out|\btime(?:'s| is) up\b|still running|longer than allowed|\btimedout|\bdeadline|took (?:too long|longer|more than)|taking (?:too long|"
    r"longer)|time[ -]?(?:limit|budget)|etimedout|sockettimedout|too slow|ran too long|\bno (?:reply|answer) from|wall ?time|\b(?:hung|stalled)\b|cancell?ed while waiting|"
    r"(?:maximum|allowed|allotted|permitted|given|execution) (?:\w+ ){0,2}time|time (?:allowed|exceeded|"
    r"allotted|was used|ran out|is up|has elapsed)|out of time|in time\b|gave up waiting|stopped waiting",
    rf"(?:\bno\b|\bwithout\b|{NOT}|\bnothing\b|\bstill\b)[^.]{{0,50}}\b(?:reply|repl\w+|respond\w*|"
    rf"response|answer\w*|finish\w*|complet\w*|return\w*|heard|come back|"
    rf"result)\b[^.]{{0,50}}(?:\bwithin\b|\bafter\b|\bbefore\b|\bby the\b|\bin {SECONDS})",
    rf"\b(?:exceeded|over|beyond|ran|running|waited|waiting|after|gave up|kill\w*|abort\w*|cancel\w*|"
    rf"stopp\w*|more than|longer than|within)\b[^.]{{0,40}}\b{DURATION}(?!.{{0,20}}(?:retry|again))|"
    rf"\b(?:504|408|524|522)\b(?!\d)",
)
UNREADABLE = any_of(
    rf"(?:{NOT}|\binvalid\b|\bbad\b|\bmust be\b|\bexpected\b|\bproper\b|\bin\b|\bas\b|"
    rf"\bcould not\b|\bfail\w*)[^.]{{0,40}}\b{FORMAT}\b(?! (?:value|serializable|payload received))|"
    rf"\b{FORMAT}\W? ?(?:decode|decoding|pars\w+|parse|syntax|reader|exception|error|invalid|text must|"
    rf"format)|"
    r"pars(?:e|er|ing)[ _]?(?:error|exception|failure)|\b(?:syntax|scanner|parser|lexer|lexical|decode|"
    r"output parser|json\w*) ?(?:error|exception)|\bproblems? parsing|unexpected (?:[\w-]+ ){0,2}(?:end|eof|token|"
    r"character|indent|symbol|string|identifier|trailing)|unterminated|unbalanced|unclosed|unmatched|"
    r"never closed|not closed|invalid syntax|(?:call|message|input|arguments?) (?:ends|ended|stops|stopped)|no partner|"
    r"expecting (?:value|property|delimiter|'|,|:|\W)|expected (?:value|',|',' or|`,`|':'|colon|ident|"
    r"key)\b|\bextra data|trailing (?:comma|data|char|garbage)|(?:eof|eol) while|end of (?:input|file|"
    r"json|text|stream) |premature end|invalid (?:escape|control character|character|format\b|json)|"
    r"control character|"
    rf"mismatched (?:bracket|brace|quote|paren)|(?:missing|expected|closing|opening|stray|"
    rf"unescaped) (?:\w+ )?(?:quote|bracket|brace|paren\w*|comma|colon|delimiter|tag)|(?:brace|bracket|"
    rf"quote|tag|paren\w*)s? (?:is |are )?(?:missing|found|opened|absent)|"
    r"\bgarbled|comma expected|\bprolog|e parse\b|\bquotation mark|parenthes[ie]s (?:too|missing|is)|"
    r"\bstray comma|\bparsable|\bplain (?:prose|text)\b|load as a dict|\bmalformed\b(?! (?:uuid|guid|date|url|uri|e-?mail|address|number|id)\b)|(?:output|message|call|reply|text) (?:ended|stopped|ends) before|\bdeseriali[sz]|"
    rf"{NOT} (?:\w+ )?well-?formed\b(?! (?:email|ur[li]|address|date|number))|\bpars(?:e|ing) (?:\w+ ){{0,3}}"
    rf"(?:arguments?|call|action|output|message|request|body)\b|"
    r"\btruncated|cut off|dangling|looking for beginning|make sense of|not decodable|(?:not|n't) decode\b|"
    r"numeric literal",
    rf"{CANNOT} (?:be )?(?:read|understand|understood|interpret\w*|decod\w*|extract\w*|make sense|pars\w*|"
    rf"load\w*|make out)\b(?! (?:\S+ ){{0,3}}(?:as|to) (?:an? )?{TYPE}\b)(?! (?:properties|from))|"
    rf"(?:could|can)(?: not|n't|not) be (?:\w+ )?(?:parsed|read|decoded|interpreted|understood|extracted|"
    rf"loaded)",
    r"(?:no|not|n't|missing|invalid|illegal|incomplete|broken|incorrect|"
    r"improper)\b[^.]{0,30}\b(?:action input|(?:tool|function)[ _-]call\b(?! (?:(?:to|of) )?\W?TOOL)|"
    r"call syntax|call format|required format|action (?:was )?(?:found|detected))|(?:tool|function|"
    r"action)[ -]?call (?:format|syntax|block)|\bcould not (?:find|extract) (?:an? |the )?(?:action|call)|"
    r"(?:follow|required|correct|expected) (?:the )?(?:\w+ )?format\b|use the format|"
    r"arguments?[ _](?:format|string)|not parseable|unparseable|unreadable|bad escap|\bbase64|valid action\b|as json",
)
NO_TOOL = any_of(
    rf"\b(?:{UNKNOWN}|no|invalid|not a (?:valid|known|registered))\s+(?:(?!tool output|"
    rf"value)[\w-]+ ){{0,2}}?(?:{TOOL_NOUN})\b(?! (?:call\b|input|output|{PARAMETER}|response|result|"
    rf"error|failed|syntax|key|body|returned))(?! to)",
    rf"\b(?:{TOOL_NOUN}|(?-i:TOOL))\b\W{{0,3}}\s?{THING}{ISNT}(?:\w+ )?(?:{KNOWN}|exist|valid|defined|"
    rf"an? (?:\w+ )?(?:{TOOL_NOUN})|function|on the list)(?! at \S+\.?$)|\b(?:{TOOL_NOUN}|"
    rf"(?-i:TOOL))\b\W{{0,3}}\s?{THING}(?:is |are )?(?:undefined|unknown|missing|unregistered|"
    rf"unrecogni[sz]ed)\b|(?-i:TOOL)\W{{0,4}}(?:not found|isn't|doesn't exist|does not exist)",
    rf"(?:{NOT}|\bunable to|\bfail\w* to|\bcould not) (?:\w+ )?(?:find|have|know|recogni[sz]e|implement|"
    rf"locate|offer|provide|resolve|see|identify|contain|include|access)\w*(?: of| to)?(?: an?y?| the|"
    rf" such an?| that)? ?(?:\w+ )?(?:{TOOL_NOUN}|{Q}(?-i:TOOL))\b|\b(?:no|not|n't|never|unknown|"
    rf"nonexistent)\b[^.]{{0,40}}\b(?:tool|function|action|command|method|plugin|"
    rf"capability)\W? (?:\w+ )?{Q}(?-i:TOOL)\b(?! call)",
    rf"\bname {Q}\S+ is not defined|has no attribute \W?TOOL|key error\W+(?:\w+ )?TOOL|\b(?:available|"
    rf"valid|known|registered|existing|offered|listed|permitted|declared|following) (?:tools|functions|"
    rf"actions|commands|methods)\b|\b(?:tool|function|action|method|command|"
    rf"handler)s?[ _-]?not[ _-]?(?:found|available|defined|exist)|unknown[ _](?:tool|function|method)|"
    rf"(?:tool|function|method|action)s? (?:that )?you (?:have|can)|"
    r"no (?:handler|implementation|tool|function|plugin) (?:\S+ ){0,3}(?:for|answers|named|called|with)|"
    r"handler for .{0,20}TOOL|there(?: is|'s) no \W?TOOL|unimplemented|(?-i:TOOL)\W* has no |cannot (?:get|post|put) /|"
    r"\bundefined\W+(?-i:TOOL)\b|\bonly (?:\S+ ){1,6}(?:are|is|may be|can be) (?:declared|called|available|usable|defined)\b|"
    r"among your tools|(?:should|use) (?:be )?(?:instead )?one of[: ]|instead one of|undefined (?:method|"
    r"function|tool)|is not a function|(?:tool|function|action)\W? (?:lookup|name) (?:failed|invalid)|"
    r"\bmethod not (?:found|allowed)|hallucinated|not in the (?:registry|list)|"
    r"internal or external command|no tool\b",
)
INFRASTRUCTURE = any_of(
    r"rate.{0,3}limit|rate exceeded|too many (?:requests|calls|concurrent|connections|clients)|throttl|"
    r"quota|overload|temporar(?:y|ily)|(?<!tool )unavailable|\b(?:is|are|currently|went|be) (?:down|"
    r"offline|busy)\b|maintenance|(?:try|trying|come back|retry)(?: \w+)? (?:again|later|in)\b|\bretr(?:y|"
    r"ies)\b(?! with)|try again|"
    r"connection|no such host|\bno \w+ available|circuit.?breaker|\b(?:server|service|system|host) (?:busy|down|offline)\b|\b(?:tcp|udp)\b|connect(?:ing)? (?:to|call)|unreachable|\bnetwork|\bdns\b|name resolution|"
    r"name or service|getaddrinfo|outage|experiencing|could not resolve|healthy|server error|"
    r"contact (?:us|the api provider)|read econ|\b(?:econ|ehost|enet|enotfound|eai|epipe)|spike|"
    r"unknown ?host|high load|heavy load|traffic|slow down|too (?:quickly|fast|often)|\b(?:calls|requests) (?:a|per|each|every) \w+|transport|\bsocket|\bssl|\btls\b|certificate|"
    r"handshake|at capacity|\brestarted|\bdied\b|http/\d\.\d 5|"
    r"broken pipe|remote (?:end|protocol|host)|disconnect|internal\b.{0,12}\berror|^\d+ internal\b|"
    r"bad gateway|upstream|backend|crash|slow ?down|request rate|out of memory|no space left|capacity|"
    r"segmentation|core dumped|proxy error|hang up|hung up|no route|\bpeer\b|(?:^\W*|\b(?:http|status|code|error|response|returned|got|with|received|answered|replied|server)\W{1,3}(?:\w+\W{1,2})?)(?:5[0-24-9]\d|429)\b(?= |"
    r"$|\W)|too busy|can't be reached|could not reach|is locked|not responding|\brestarting|no internet|replicas|resource[ _]exhausted|infrastructure|gone away|went away|reset by|(?:request|usage|"
    r"plan|daily|monthly|hourly) limit|\bper (?:second|minute|hour|day|min)\b|"
    r"limit (?:reached|exceeded|for your plan)|lost contact|not reachable|incident|degraded|worker|"
    r"incomplete read|rst.?stream|communications|sigkill|killed|signal \d|\bcluster|not working|"
    r"\bi/o error|protocol|memory error|\bservers? (?:is|are|was|were|has|have|could|did)",
)
