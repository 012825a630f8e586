"""Which final answers are refusals: no valid answer in the sense of ToolEyes' VA.

The rules, on the answer in lower case:

1. It is empty, or holds no letter and no digit.
2. It says the formula by which tool prompts let a model give up ("I cannot handle the task", "give up").
3. Its first sentence, behind an apology, "unfortunately" or "as an AI ...", says that the speaker can't,
   could not, is unable to, does not know or has no access; unless that sentence goes on with a "but" or
   "however", as an answer with a reservation does. An apology alone, with nothing behind it, counts too.

What an answer says later, and whether it is right, is not looked at.
"""

import re

_GIVE_UP = re.compile(
    r"\b(?:can ?not|can't|could not|couldn't|(?:am|is|was) (?:unable|not able) to) handle (?:the|this|your) task\b"
    r"|\bgive_up_and_restart\b|^i (?:have to |must |will )?give up\b"
)
_LEADS = (
    r"(?:(?:i'm|i am|we're|we are|my) )?(?:(?:so|very|really|truly) )?(?:sorry|apologies|apology|afraid)\b",
    r"(?:i|we) (?:(?:do|must|sincerely) )?(?:apologi[sz]e|regret)\b",
    r"(?:for|about) (?:the|any|this|that|my) (?:\w+ ){0,3}\w+",
    r"(?:unfortunately|regrettably|sadly|but|however|that|to (?:say|inform you|tell you))\b",
    r"as an? (?:[\w-]+ ){0,4}(?:ai|model|assistant)\b[^,.]{0,30}(?=,)",
)
_LEAD = re.compile(rf"(?:{'|'.join(_LEADS)})[\s,.;:!-]*")
_INABILITY = re.compile(
    r"(?:(?:i|we|the assistant)(?: (?:currently|still|just|really|also))?"
    r"(?:(?: am| are| is| was| were|'m|'re)(?: currently| still)? (?:unable|not able|not capable)\b"
    r"| (?:can ?not|can't|could not|couldn't|won't be able|will not be able|wasn't able|weren't able)\b"
    r"| (?:do not|don't|did not|didn't)(?: currently)? (?:know|have (?:the |any |enough |sufficient |direct )?"
    r"(?:real-time )?(?:access|ability|information|data|tools?|means|answer|capability))\b"
    r"| have no (?:access|information|idea|way|means|answer)\b)"
    r"|(?:unable|not able) to\b|no answer\b)"
)
_RESERVATION = re.compile(r"\b(?:but|however|though|nevertheless)\b")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_SAYS_SOMETHING = re.compile(r"\w")
_LOOKED_AT = 600  # characters


def is_refusal(answer: str) -> bool:
    """Whether the answer refuses or gives up, by the rules above. Never raises."""
    text = answer[:_LOOKED_AT].lower().replace("\u2019", "'").strip(" \n\t*_\"'`#>")
    if not _SAYS_SOMETHING.search(text) or _GIVE_UP.search(text):
        return True
    begin = 0
    while lead := _LEAD.match(text, begin):
        begin = lead.end()
    found = _INABILITY.match(text, begin)
    if found is None:
        return begin > 0 and begin == len(text)
    end = _SENTENCE_END.search(text, found.end())
    return _RESERVATION.search(text, found.end(), end.start() if end else len(text)) is None
