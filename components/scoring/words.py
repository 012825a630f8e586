"""Texts as words, so that copies are found whatever their case, width, punctuation and layout."""

import json
import re
import unicodedata

# Scripts that put no space between words: each of their signs is a word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
# Signs of arithmetic are words where an operand follows: "2 + 2" and "2 - 2" are different questions. Those of
# lists, emphasis and compounds are not.
_SIGN = r"(?<=[^-+*/=<>^%\n])[-+*/=<>^%](?= ?(?:[\d(.]|[a-z]\b))"
_WORD = re.compile(rf"[^\W_{_UNSPACED}]+|[{_UNSPACED}]|{_SIGN}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\[nrtNRT\"'/\\]")  # in capitals where all of the text is
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
# Between the words of one sentence; all else ends one.
_INSIDE = re.compile(r"['\u2019]|[ \t,_*-]*")


def words_of(text: str) -> list[str]:
    """The words of a text, without case, width, punctuation and invisible characters.

    Escapes of JSON are read, since calls and replies are often JSON. Letters with combining marks are those
    composed. O(characters).
    """
    return _WORD.findall(_plain(text))


def sentence_bounds(text: str) -> set[int]:
    """Before which of its words a sentence, line or quotation begins or ends; the number of words is one of them."""
    plain = _plain(text)
    bounds, count, end = {0}, 0, 0
    for found in _WORD.finditer(plain):
        if not _INSIDE.fullmatch(plain, end, found.start()):
            bounds.add(count)
        count, end = count + 1, found.end()
    return bounds | {count}


def _plain(text: str) -> str:
    # until nothing changes, so that a text and the same text inside of JSON inside of JSON are equal
    while "\\" in text and (plainer := _ESCAPES.sub(_unescaped, text)) != text:
        text = plainer
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    return unicodedata.normalize("NFKC", folded).replace("\u0131", "i")  # the dotless i, whose capital is I


def _unescaped(found: re.Match[str]) -> str:
    escaped = found.group()
    return "'" if escaped == "\\'" else str(json.loads(f'"{escaped.lower()}"'))
