"""What small services say in everyday words: what was not done, what came too late, what is out of bounds, what they ask back.

Each family is one piece of evidence of `complaint`; the patterns see normalised text.
"""

from components.error_labeling.feedback.words import DURATION, any_of

_DONE = (
    r"(?:sent|saved|stored|created|updated|executed|run|done|changed|deleted|added|removed|written|booked|processed|"
    r"completed|performed|uploaded|applied|accepted|delivered|posted|published|opened|loaded|made|started|charged|moved|"
    r"carried out|finished|copied|cancel\w+|placed|submitted|imported|exported|logged|called)"
)
_BOUND = r"(?:minimum|maximum|min|max|limit|range|bounds?|allowed|permitted|possible|upper|lower|today|now|zero|absolute)"
_GOOD = r"(?:valid|real|possible|known|proper|correct|legal|recogni[sz]ed|supported|existing|acceptable|permitted|usable)"

# An action that was tried and did not come about.
NOT_DONE = any_of(
    rf"\b(?:was|were|is|are|has been|have been|could|can|may)(?: ?not|n't) (?:yet |be |been )*{_DONE}\b",
    rf"\b(?:nothing|none of \w+|no (?:\w+ )?(?!results|records|matches)\w+) (?:was|were|has been|have been|could be|can be|will be) "
    rf"(?:\w+ly )?{_DONE}\b",
    r"^\W*(?:failed|unable|not able|cannot|can not|could not|can't|couldn't|did not|didn't)(?-i: (?:to )?[a-z]+ )[^,]{0,70}"
    r"(?::|[.!]?$)",
    r"(?:^|[;:,.(] ?)(?:aborting|exiting|giving up|bailing out|stopping here|call (?:discarded|dropped|ignored|skipped|rejected))\b",
    r"\b(?:did|does|do|would|will)(?: not|n't) (?:succeed|work|start|load|open|compile|go through|come up|accept|allow|let)\b",
    r"\b(?:is|are|has|have|was|were|'ve|had) already (?:been )?(?:\w+(?:ed|en|ld)|in use|full|there|paid|exists?)\b|\balready (?:exists|in use|taken)\b",
    r"\bblocked by (?:an? |the |your |our )?(?:\w+ )?(?:policy|policies|rules?|filter|firewall|admin\w*|settings?)\b|"
    r"\b(?:had|has|have) to be (?:stopped|killed|aborted|cancelled|terminated|interrupted)\b|"
    r"\b(?:broke|breaks) (?:down|off|while|when)\b|\bsomething (?:broke|failed|went)\b|\bmerge conflict\b",
    r"\byour (?:\w+ )?(?:session|card|account|plan|token|password|balance|subscription|licen[cs]e|login|credit|trial|key|role|permissions?|"
    r"profile|budget) (?:has (?:expired|been|run|no)|is (?:not|no|too|over|locked|closed|expired|invalid|blocked|suspended|empty)|isn't|"
    r"was (?:not|declined|rejected|refused)|does|do|did|are not|cannot|can't|could not|lacks?|expired)\b",
    r"^\W*\w+ing (?:\w+ )?(?:failed|aborted|was (?:aborted|interrupted|refused|rejected|denied|blocked))\b|\b(?:is|are|was|were)(?: not|n't) "
    r"(?:available|accessible|visible|shared|interactable|open) (?:in|to|for|on) (?:you|your|this|the)\b|"
    r"\b(?:returned|raised|threw|gave|got|hit) an? (?:\w+ )?(?:error|exception)\b|\bERR!",
    r"\b(?:recipient|receiver|owner|administrator|administrators|other side|remote side) (?:has |have )?(?:blocked|refused|denied|disabled|rejected)\b",
)

# A comparison with what is allowed, or with what makes sense.
COMPARED = any_of(
    rf"\b(?:below|above|under|over|beyond|past|exceeds?|exceeding|less than|greater than|more than|lower than|higher than|larger than|"
    rf"smaller than|longer than|shorter than|outside(?: of)?|not within|not between) (?:the |its |an? |of )*(?:\w+ )?{_BOUND}\b",
    rf"\b(?:not|n't) (?:look like |seem to be |appear to be )?(?:an? |the |any )?(?:\w+ )?{_GOOD} (?!for\b)\w+",
    rf"\b(?:enter|provide|select|choose|pick|give|use|specify|supply|pass|need|expected?) an? {_GOOD}\b",
    r"\btoo (?:large|small|long|short|big|high|low|many|few|old|early|late)\b.{0,20}(?:\(|\bmax|\bmin|[<>]|\d)",
    r"\b(?:is|lies?|are|falls?) (?:outside|out of|not between|not within|before|after) (?:the )?(?:-?\d|\w+ date|range|bounds|window)",
    r"\bno (?:\w+ ){1,3}(?:with|by|for|under|of|has) (?:the |that |this |such an? |an? )*(?:id|code|number|name|key|address|symbol|identifier)\b",
    r"\bno such (?!thing|luck)\w+|\b(?:start|end|begin\w*|from|check-?in|check-?out|arrival|departure|first|last)\b.{0,20}\b(?:is|lies|comes|falls) "
    r"(?:earlier|later|before|after|less|greater)\b|\bis impossible\W*$|\b(?:makes?|making) no sense\b|\bchecksum\b|\b(?:is|are|looks?|seems?) wrong\b|\bnot numeric\b|[<>]=? ?\d+\W*$",
    r"\b(?:do|does)(?: not|n't) (?:match any|exist in|belong to|add up|make sense|fit)\b",
    r"\bonly (?:[\w-]+ ){1,4}(?:(?:is|are) (?:accepted|allowed|supported|permitted|valid)|(?:may|can) be (?:used|given|passed|chosen))\b|"
    r"\b(?:must|has to|have to|should|needs? to|ought to) (?:not )?(?:be|come|lie|have|end|start|begin|fall) (?:\w+ ){0,2}"
    r"(?:before|after|between|at (?:least|most)|one or more|more than|less than|greater|smaller|in \d)\b|"
    r"\b(?:has|have|got|with) too (?:few|many|much|little)\b|^\W*\w+(?: \w+)? too (?:large|small|long|short|big|high|low|many|few|old)\W*$|"
    r"\b(?:capped|limited) (?:at|to)\b|\b(?:may|must|can) only (?:be|contain|have|use)\b",
)

# The service waited, or was told to stop.
LATE = any_of(
    rf"\b(?:killed|stopped|aborted|cancell?ed|terminated|interrupted|gave up|giving up|waited|waiting|timed|still running)\b.{{0,25}}{DURATION}",
    r"\b(?:took|takes|taking) (?:far |much |way )?(?:too long|longer|more than)\b|\btime(?:'s| is| was) up\b|\bran longer than\b",
    rf"\b(?:time-?out|limit|deadline|budget) (?:of |was |is |set to )*{DURATION} (?:was )?(?:exceeded|reached|expired|passed|hit)",
    rf"\b(?:slower|longer) than (?:the )?(?:allowed|permitted|{DURATION})|\b(?:no|without|nothing)\b.{{0,30}}\b(?:after|within|in|for) {DURATION}",
    r"\b(?:hung|stalled|froze|hangs)\b.{0,40}\b(?:stopped|killed|aborted|cancel\w+|terminated)|\bout of time\b|\bbefore (?:it|this|that) was (?:done|finished|ready)\b",
    r"^slow down\b|\btoo busy\b|\bcome back (?:later|in|tomorrow|soon)\b|\btoo often\b|\btoo (?:many|much) (?:requests|calls|traffic|load)\b|"
    r"\brequest limit\b|\btook forever\b|\bcut off (?:at|after)\b|\bi (?:cancell?ed|stopped|aborted|killed) (?:it|that|this|the)\b",
)

# What the service needs to know first: the asker left it out.
ASKED_BACK = any_of(
    r"\bdo you mean\b|^where(?:'s| is) (?:the|your)\b|^what(?:'s| is) (?:the|your) \w+(?: \w+)?\?\W*$|\b(?:body|request|call|input|message|query|event) has no \w+|\bi(?:'m| am) (?:still )?missing\b|\bneeds? (?:an?|at least|both|either|one) (?!more\b)\w|"
    r"^please (?:use|choose|pick|enter|give|tell|send|specify|provide|name|say|supply|include|pass)\b|"
    r"^(?:provide|choose|pick|enter|specify|supply|select) (?:at least|one|an?|only)\b|"
    r"\bwhat should i\b|\bwhich (?:\w+ )?(?:should|do|did|shall) (?:i|you|we)\b|^ask the user\b|"
    r"^(?:tell|give|send|show|let) (?:me|us)\b|\bi (?:still |also |first )?need (?:an?|the|to know|your|one|at least|both)\b|"
    r"\byou (?:did not|didn't|have not|haven't|never) (?:say|said|tell|told|give|given|pass|passed|mention|mentioned|name|named|provide|"
    r"provided|specif\w+|include|included|state|stated)\b|\bneed to (?:say|know|tell|name)\b|"
    r"\bleft (?:it |this |that |them )?(?:open|empty|blank|out|over|unspecified|unset|undefined)\b|\bunspecified\b|\bnone given\b|"
    r"\bno \w+(?: \w+)? (?:was |were )?(?:given|provided|specified|supplied|passed)\b|^\W*(?:empty|blank) \w+\W*$|"
    r"\bi (?:only|just) (?:take|accept|know|understand|support|need)\b|\bi (?:don't|do not) (?:know|understand) (?:what|how|which)\b",
)

# What a service says of itself or of what it stands on.
SERVICE = any_of(
    r"\b(?:server|service|kernel|worker|process|container|replica|node|backend|provider|api|database|broker|cluster|host|site|system|"
    r"instance|engine|upstream|gateway|proxy|internet|network|connection)s? (?:(?:is|are|was|were|has|have|had|went|got|just|currently|all|"
    r"been|unexpectedly|suddenly) )*(?:(?:not|n't) (?:responding|reachable|answering|available|running|up)|restarting|restarted|died|crashed|"
    r"down|offline|lost|gone|unreachable|overloaded|busy|unavailable|locked|dead|failing|unhealthy|degraded|dropped|reset)\b",
    r"\b(?:is|are|has|have|was|were) (?:having|experiencing|facing) (?:\w+ )?(?:problems?|trouble|issues|difficult\w+)\b|^no (?:internet|network|signal)\b|^no (?:\w+ )?connection\b|\bcould not reach\b|\b(?:isn't|aren't) (?:responding|answering|reachable|running)\b",
)

# To the caller, of what the caller is or has.
REFUSED = any_of(
    r"^you(?: are|'re) (?:not|no longer)\b|^you(?:'ve| have) (?:reached|exceeded|hit|used|already|no|not|run out|been (?:blocked|banned|logged))\b|"
    r"^you (?:do not|don't|cannot|can't|may not|lack|aren't)\b|^(?:this|that|the) \w+ (?:is|was)(?: not|n't) (?:yours|shared)\b|"
    r"\bno longer (?:available|valid|exists?|active|supported|accepted|accessible)\b|^(?:your )?(?:account|card|user|session) (?:is |was |has )?"
    r"(?:locked|suspended|expired|closed|disabled|blocked)\b|^(?:access|permission|request|payment|login|transfer|upload|download) (?:\w+ )?(?:denied|declined|refused|rejected|blocked)\b"
)

# What only a driver of a model says: the reply is to the model's own turn.
AGENT = any_of(
    r"\b(?:llm|model|agent|assistant)(?:'s)? (?:output|turn|completion)\b|\baction input\b|\btool[ _-](?:call|use|input|block)s?\b|"
    r"\bfunction[ _-](?:call|calling|arguments)\b|\bpars(?:e-?)?able action\b|\baction and (?:an? |the )?final answer\b"
)

# Two or three words that say all: `Insufficient funds.`, `Login required`.
CURT = any_of(
    r"^\W*(?:insufficient|invalid|unknown|missing|bad|unsupported|illegal|empty|wrong|incorrect|duplicate|malformed|expired|no such|"
    r"unexpected|inaccessible|unauthori[sz]ed|unrecogni[sz]ed|not enough|too many|too few)(?-i: [a-z]+){1,3}\W*$",
    r"^\W*(?:\w+ ){1,3}(?:required|declined|rejected|refused|denied|failed|expired|exceeded|missing|unavailable|invalid|wrong|mismatch|"
    r"unreachable|not (?:found|allowed|supported|permitted|available|given|set|unique))\W*$",
)
