"""What marks a text as an error at its very beginning.

A marker holds only where the text begins, so that prose about errors is left alone.
"""

import re

from components.error_labeling.feedback.words import TOOL, any_of

_EXCEPTION = (
    r"(?:errors?|exceptions?|fault|failure|timeout|expired|unavailable|denied|unauthorized|"
    r"violation|panic|err)"
)

# "Error:", "ValueError: ...", "[ERROR] ...", "error[E0425]: ...", "MCP error -32602: ...", "3 validation
# errors for ..."
NAMED = any_of(
    r"(?!\W*errors?: ?\d{1,4}\b(?! [a-z]))[\W_]*(?:(?:an?|the|fatal|internal|unexpected|unhandled|uncaught|api|tool|function|runtime|"
    r"execution|http|server|client|"
    r"validation|system|mcp|json|rpc|grpc|parse|syntax|type|value|network|access|usage|input|output|"
    r"argument|command|database|sql|"
    r"curl|schema|request|response|TOOL)[ -]+){0,4}(?:error|exception|failure|errors|err|panic|"
    r"fatal)\b[\])>*`]*"
    r"(?:\s*[:=\u2013\u2014]|!(?! (?:at|of|in|and) )|\s*\((?!noun|n\.|film|song|album|band|novel|disambig)|\s+-\s|\s*$|\[\w+\]|"
    r"\s*\.{3}|\s+[#\-(]?\d+|\s+code\b|\s+(?:near|at (?:offset|line|position|char|column|byte|index))\b|"
    r"\.\s|\.$|\s+(?:while|when|during|calling|executing|running|"
    r"processing|occurred|invoking|reading|loading|parsing|fetching|getting|creating|opening|retrieving|"
    r"connecting|querying|accessing|"
    r"validating|decoding|sending|performing|evaluating)\b|\s+(?:in|from|for|at|of|type|message|"
    r"with)\b(?:[^.]{0,60}:|.{0,20}TOOL|\W*\d))",
    r"(?-i:[a-z][\w-]*(?: [a-z][\w-]*){0,2} error)\W*$|(?:an? )?(?:internal|server|unknown|network|unexpected) (?:\w+ )?error,",
    r"(?!.{0,40}\bof errors?\s*:)(?!standard|margin|mean|rounding|type i|trial|absolute|relative|"
    r"\w+ \w+ \w+ \w+ \w+ )(?:[\w./'\"`-]+[ :]){0,4}?(?:error|exception|panic|fatal|"
    r"failure)\s*:\s*(?!\d+(?:\.\d+)?\s*%?\s*$|\d+[,;]|none|\w+ = )\S",
    r"(?:[\w$]+\.)*(?-i:[A-Z])\w*(?-i:Error|Exception|Fault|Failure|Timeout|Expired|Unavailable|Denied|"
    r"Violation|Warning|Interrupt|Refused|Exceeded|Killed|Failed|Rejected)"
    r"(?:\s*[:(\[]|\s*$|\s+-\s|(?= \w+ at ))",
    r"(?:(?-i:[a-z_])\w*\.)+(?-i:[A-Z])\w*\s*(?::|$)|\d+ (?:\w+ )?errors? (?:for|in|found(?! by)|detected|"
    r"occurred|while)\b",
    r"(?:\[?\d{4}-\d\d-\d\d[T ][\d:.,Z+]+\]?\s*[-|]?\s*)?[\[(]?(?-i:ERROR|WARN(?:ING)?|FATAL|CRITICAL|"
    r"SEVERE)\b(?! in \d)[\])]?\s*[-:|\w]|\s*[\u274c\u26a0\u2717\u2718\u26d4]|\U0001f6ab|\U0001f6d1",
    r"\W*(?:fehler|erreur|errore|erro|\u043e\u0448\u0438\u0431\u043a\u0430|\u9519\u8bef|\u932f\u8aa4|"
    r"\u30a8\u30e9\u30fc|\uc624\ub958)\s*[:\uff1a!]",
    r"traceback \(most recent call last\)|(?:thread|goroutine) \S+ panicked|\w+ '\w+' panicked|"
    r"panicked at|panic:|uncaught |unhandled ",
    r"ORA-\d+|E\d{3,5}\b\s*[:-]|ERR_\w+|\[?errno\b|errno \d|SQLSTATE|exit (?:code|status) [1-9]|"
    r"exited with (?:code|status) [1-9]",
)

# "503 Service Unavailable", "HTTP 404", "status code: 500", "14 UNAVAILABLE: ..."
_REASON = (
    r"(?:client error|server error|bad request|unauthori[sz]ed|forbidden|not found|method not allowed|"
    r"not acceptable|request time|"
    r"conflict|gone\b|payload|unprocessable|too many|internal|not implemented|bad gateway|service|gateway|"
    r"payment|proxy|unsupported|"
    r"precondition|length required|locked|teapot|a timeout)"
)

STATUS_LINE = any_of(
    r"http/\d(?:\.\d)? [45]\d\d\b",
    rf"(?:http\S*|status(?: code)?|code|error|response)?\s*[:#]?\s*[45]\d\d\b\s*[:,\-\u2013(\[]?\s*{_REASON}",
    r"(?:the )?(?:http(?: error| status)?(?: code)?|status code|response status|response code|error code|"
    r"(?:server|service|api|backend|upstream|TOOL) "
    r"(?:has )?(?:returned|responded|answered|replied)(?: with)?)\W{0,3}(?:(?:status|code|http|error|an?|"
    r"response)\W+)*(?:[45]\d\d\b|10\d\d\b)",
    r"[45]\d\d\s*(?::|-|\u2013)\s*[A-Za-z]{3}|\d{1,2} [A-Z_]{6,}\s*:|[A-Z]{4,}(?:_[A-Z]+)+\s*(?::|$)",
    r"\s*(?:<\?xml[^>]*>\s*)?<(?:\w+:)?(?:error|exception|fault|errors|serviceexception\w*)\b",
    r"\s*(?:<!doctype[^>]*>\s*)?<html.{0,400}<(?:title|h1)>[^<]{0,40}(?:\b[45]\d\d\b|error|unavailable|"
    r"denied|bad gateway|time-?out|forbidden|not found|attention required)",
)

# Phrases that begin nothing but feedback.
_DONE = (
    r"(?:failed|rejected|refused|unsuccessful|aborted|errored|denied|invalid|terminated|cancell?ed|"
    r"skipped|blocked|crashed|dropped|"
    r"timed out|incomplete|declined|malformed|unreadable|ignored|not (?:executed|sent|run|performed|"
    r"completed|successful))\b"
)

PHRASES = any_of(
    rf"(?:the |your |this )?(?:\w+ )?(?:request|call|operation|query|execution|invocation|transaction|"
    rf"validation|authentication|"
    rf"authori[sz]ation|lookup|action|{TOOL}|job|command|task|login|connection|upload|download|"
    rf"compilation|conversion)\s+"
    rf"(?:(?:to|of|for|with|named|called) \S+ |execution |call |\W?TOOL\W? )?(?:has |have |was |is |were |"
    rf"been |could )*{_DONE}(?! in (?:1\d|20)\d\d| by (?!the server|upstream|peer|policy|our|your))",
    rf"(?:the )?{TOOL}\s+\S{{0,40}}\s*(?:cannot|could not|can't|couldn't) be (?:executed|called|invoked|"
    rf"run|completed|processed|found|used|loaded)",
    r"(?:fatal|exception|failure|failed|fail|rejected|denied|bad request|access denied|permission denied|"
    r"unauthori[sz]ed|forbidden|"
    r"not found|not implemented|aborted|unhandled rejection|cancelled|killed|terminated|interrupted|timed out|timeout|crashed|declined|expired|invalid|unsupported|unavailable|"
    r"overloaded)\s*(?:[:!\u2013]\s*(?!an? \w+ of|\d+\W*$|none\b|no\b)\S|\s-\s|[!.]?$)(?<!unavailable)",
    r"(?:sorry|oops|whoops|apologies|unfortunately|uh-?oh|hmm|we(?:'re| are) sorry|i(?:'m| am) sorry|"
    r"i apologi[sz]e)\b[^.!]{0,100}\b(?:error|went wrong|"
    r"fail\w*|problem|issue|unable|could not|couldn't|cannot|can't|unavailable|not (?:available|"
    r"understand|find|know)|don't|didn't|try again|later|no|invalid|unknown|missing)\b",
    r"(?:something|things) (?:went|has gone|have gone) wrong|an? (?:[\w-]+ ){0,4}(?:error|exception|"
    r"problem|failure|issue|fault|timeout) (?:has )?(?:occurred|"
    r"happened|arose|was (?:encountered|raised|thrown|detected|returned|reported))|(?:i |we |TOOL |"
    r"the tool )?(?:have )?(?:encountered|ran into|hit|met|got|caught) an? (?:[\w-]+ ){0,3}(?:error|"
    r"exception|problem)",
)

# A name with a colon is more than a marker that an article's title may be, too.
STRONG_NAME = re.compile(
    rf"\W*(?:(?:\w+ ){{0,3}}(?i:error)|[\w.$]*(?i:{_EXCEPTION}))(?: [#\-(]?\d+\)?)?\s*[:(]"
)
