"""Signs that a text is content: prose, code, lists, empty results, words of success."""

import re

# An article's first sentence says what its subject is; a message about a failed call does not.
ARTICLE = re.compile(
    r"(?<!there )\b(?:is|was|are|were|refers? to|describes?|tells?|says|indicates?|signals?|denotes?|means|reacts?|lasts?|comes?|occurs?|"
    r"arises?|happens?)\s+(?:that\b|when\b|(?:raised|thrown|shown|used|caused) (?:when|by|if|to)\b|"
    r"(?:an?|one of|the)\s+(?!(?:required|mandatory|missing|valid|invalid|known|registered|recogni[sz]ed|"
    r"legal|supported|necessary|problem|error|wrong|unknown|unsupported|bad|"
    r"maximum|only|string|integer|number|function|tool|parameter|directory|file|string|list|dictionary|"
    r"positive|permitted|allowed|proper|(?:\w+ )?(?:date|url|number|integer|json|tool|function|parameter|"
    r"argument|command|option|method))\b)"
    r"[a-z\d\"'-]+|(?:usually|often|commonly|generally|typically)\b)",
    re.IGNORECASE,
)

# Signs of prose in a short text: people, years, a title before a sentence, questions, code, markup of lists.
PROSE = re.compile(
    r"\b(?:[Hh]e|[Ss]he|[Hh]is|[Hh]er|him|who|whose)\b|\bin (?:1\d|20)\d\d\b|\bfunction [a-z]\b|"
    r"\bsuch an? |, (?:wrote|says?|said) |\bone's\b|"
    r"\b(?:theory|band|film|song|album|theorem|novel|book|chapter|king|queen|parliament|court|church|"
    r"century|war|voters|guests?|movie|essay|jury|verdict|patients?|coach|album|expedition|accident|"
    r"evolution|history|supreme)\b|"
    r"^[^:'\"`(]{3,60}: (?:In|He|She) [a-z]|^[a-z] (?:must|is|=|has|was)\b|^(?:Q:|How|Why|When|Is|Are|Do|Does|To (?:fix|solve|"
    r"avoid)|Use try|In (?:Python|Java|statistics|mathematics|common)|Synonyms|If you (?:get|see))\b"
)

CODE = re.compile(
    r"^\s*(?:def |commit [0-9a-f]{7}|diff --git |class |import |from \w+ import|try:|except |raise |throw |assert |return |for \w+ in |"
    r"while |function |const |let |var |SELECT |INSERT |UPDATE |git |\$ |>>> |#include|public |if |"
    r"console\.|[\w.]+\(.*\);$|curl |```)|```|\n\s+(?:return|raise|except|catch|throw|if|for|print)\b"
)

SUCCESS = re.compile(
    r"^(?!.*(?:\bnot\b|n't\b|\bcannot\b|\bfail)).*\bsuccess(?:ful|fully)?\b|\bsucceeded\b|^(?:\w+ )?(?:finished|completed)[:.,]|^(?:Connected|Approved|Ready|OK)\b|"
    r"\bwas (?:restarted|replaced|repaired|notified)\b|\bno \w+ (?:lost|affected)\b|"
    r"(?<!not be )(?<!deadline )(?<!time )\b(?:confirmed|passed)\b|"
    r"(?<!not )(?<!not be )(?<!n't be )\bcompleted(?! with)\b|\bplaced\b|\b(?:no|0|zero) (?:errors?|"
    r"warnings?|problems?|issues?|failures?)\b|"
    r"\berrors?: (?:0|none|no)\s*(?:[;,.]|$)|\b0 failed\b|\bhas been (?:sent|saved|created|updated|"
    r"deleted|added|removed)\b|"
    r"\bno (?:\w+ )?(?:is|are|was|were) (?:required|needed)\b|\b(?:fixed|resolved)\b(?! host)",
    re.IGNORECASE | re.DOTALL,
)

# An empty result is a result.
NOTHING = re.compile(
    r"^\W*(?:(?:(?:(?:there (?:are|is|were)|you have) )?no|0|zero) (?:(?!tool|function|method|action|such|valid|"
    r"handler|value|argument|parameter)[\w-]+ ){0,3}?(?:results?|match(?:es)?|records?|events?|items?|"
    r"entries|hits|documents?|articles?|data|rows|flights?|"
    r"hotels?|restaurants?|products?|messages?|news|occurrences|suggestions?|recommendations?|content|"
    r"information|activity|activities|issues?|alerts?|files?|tickets?|comments?|solutions?|advice\b[\w ]*)\b|nothing|none|null|nil|n/?a|unknown|unavailable|"
    r"empty(?: list| result)?|undefined|false|no|yes|not applicable|not available)"
    r"(?: (?:was|were|is|are|has been|have been|has))?(?: (?:found|available|matched|exists?|returned|"
    r"scheduled|planned|to show|to report))?(?:\W*$| (?:for|in|on|at|with|matching|labelled|named|called|tagged|containing|that|near|around|"
    r"between|from|within|to|about|were|are|found)\b)(?!.*(?<![\"'])\b(?:parameter|argument|tool|function|api|error|"
    r"provided|specified|supplied)\b)",
    re.IGNORECASE,
)

# Questions and answers, instructions.
ADVICE = re.compile(
    r"^(?:To [a-z]+ (?:an?|the|your|this|it|these)\b|Q:|A:|How|Why|Use (?:try|raise|`)|To (?:fix|solve|avoid|handle|"
    r"catch)|In (?:Python|Java|JavaScript|C)\b|If you (?:get|see)|When you)"
)

# Titles of pages that explain a failure.
EXPLAINED = re.compile(
    r"\bhow to (?:fix|handle|solve|avoid|use|debug|deal|catch|prevent)\b|\bwhat (?:it|this|that) means\b|"
    r"^What does\b|\bexplained\b|"
    r"\bmeaning(?:,| and)\b|\bmeaning and (?:causes|fixes)|: meaning\b|\bcauses and\b|\band fixes\b|"
    r"\bhere is how\b|\bvs\.? |"
    r"- (?:MDN|Wikipedia|Stack Overflow|Real Python)\b|\b(?:tutorial|blog post)\b|\b(?:base|parent|sub|super) ?class\b|\b(?:authors|doctors|"
    r"officials|police|critics) sa(?:y|id)\b|"
    r"\braises [A-Z]\w+|^[\w ]{2,40} \((?:noun|verb|adjective|adj|n|v)\.?\)|\bsynonyms?:|"
    r"\b(?:status|code|[45]\d\d|\w*error|\w*exception)\b[^.:]{0,20} (?:means|stands for|denotes|signals|tells)\b",
    re.IGNORECASE,
)
# Search results, lists of names, dictionaries.
NAME_OF_WORK = re.compile(
    r"\((?:song|film|album|band|class|novel|noun|law|logic|sport|computing|comics|game|"
    r"disambiguation)[^)]*\)",
    re.IGNORECASE,
)

LISTING = re.compile(
    r"(?:(?:^|\n)\s*(?:[-*\u2022]|\d+[.)]|\w+ ?#\d+:?|#\d+) .*){2}|\bvotes\b|^\d+ results?\b|^(?:Search )?[Rr]esults\b|\[\d\] |\b\d\) |Stack Overflow|\b(?:Answer|"
    r"Translation|Synonyms|Definition|Headline)\b: ?|[;,] \w+: \w+|: [\w ]+, [\w ]+(?:,|;|$)|\(\w+ \d+\)|"
    r"\((?:album|comics|film|song|disambiguation|novel)\)|\b(?:19|20)\d\d\.$"
)

# Statements about things in general: plural or indefinite subjects without a determiner, what happens if or
# when.
GENERIC = re.compile(
    r"^(?:[^:]{3,60}: )?(?:[A-Z][a-z]+(?: [a-z-]+){0,2}s (?:are|that|with|who|which|can|may|must|should|"
    r"often|become|return|occur|let|give|have|do|lead|use|report|continue|detect|make|show|happen|"
    r"arise)\b.{25}|"
    r"An? (?:[\w-]+ ){1,4}?(?:is|was|are|occurs?|arises?|happens?|appears?|means|refers|consists|lets?|"
    r"allows?|detects?|can|may)\b.{15}|(?:It|They|These|Such) [a-z]+s? [a-z]|In [a-z ]+, |\w+ing an? \w+|\w+ing (?:this|the|any) \w+[^:]{0,60} (?:gives|returns|raises|throws|yields|leads|causes|produces) )|"
    r"\boften\b|\busually\b|"
    r"\b(?:occurs?|arises?|happens?|appears|raised|used|shown|returned|displayed|reported|means?|meaning|"
    r"invented|named|called) (?:if|when|by|to|that|after|as|for)\b"
)

NARRATION = re.compile(
    r"\b(?:became|has become|released|describes?|aired|follows|explores?|distinguish\w*|tells|called|term|originally|"
    r"first|known|founded|written)\b"
)


def repeats_title(text: str) -> bool:
    """Whether a text such as `Null pointer: A null pointer is ...` defines what its title names."""
    title, colon, rest = text.partition(": ")
    words = rest.split()
    if not colon or len(title) > 60 or len(words) < 8 or not rest[:1].isupper():
        return False
    subject = re.sub(r"\W*\(.*\)\W*|s$|^the ", "", title.lower()).strip()
    if re.match(rf"(?:in )?(?:an? |the )?{re.escape(subject)}", rest.lower()):
        return True
    return " " in subject and subject in " ".join(words[:9]).lower()


def is_essay(text: str) -> bool:
    """Whether it is a long whole sentence that speaks to nobody and quotes nothing."""
    sentences = len(re.findall(r"[a-z]\. ?(?=[A-Z]|$)", text))
    return (
        len(text) >= 75
        and text[0].isupper()
        and text.rstrip().endswith(".")
        and (sentences >= 3 or not re.search(r"\d{3}", text))
        and not re.search(
            r"[\"'`{}<>=_\[\]/]|\b(?:you|your|please|this|TOOL|PARAM|VALUE|we|our|I|Sorry)\b|\d{5,}", text
        )
    )
