"""The one numeric normaliser: the training filter and the scorer both read numbers here.

"1,000", "1000", "$1000." and "1000.0" are the same number. A currency or percent sign is a unit and
is dropped ("50%" is 50, as in GSM8K's golds); "3/4" and "1 1/2" are fractions; a minus counts only
where it can't be a hyphen or a subtraction ("-5", "-$5", but not "10-5" or "GPT-4").
"""

import re
from collections.abc import Iterator
from fractions import Fraction

# Longer digit strings are noise, and int() refuses more than 4300 digits.
_LONGEST = 200
_MINUS = r"(?P<{name}>(?<![\w)\]}}%])[-\u2212])?[$€£¥₹]?"
_FRACTION = (
    rf"{_MINUS.format(name='fraction_minus')}(?<![0-9/.,])(?:(?P<whole>[0-9]+)[ \u00a0])?"
    r"(?P<numerator>[0-9]+) ?[/\u2044] ?(?P<denominator>0*[1-9][0-9]*)(?![0-9/]|[.,][0-9])"
)
_DECIMAL = (
    rf"{_MINUS.format(name='decimal_minus')}"
    r"(?P<decimal>(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9.])\.[0-9]+)"
    r"(?:[eE][-+]?[0-9]{1,3}(?![0-9A-Za-z]))?)"
)
_NUMBER = re.compile(f"{_FRACTION}|{_DECIMAL}")
_UNITS = "$€£¥₹%.,;:!?*_`'\"=()[]{}\\ \t\n\u00a0"


def numbers_in(text: str) -> Iterator[Fraction]:
    """Every number in `text`, exactly, in reading order. Never raises."""
    for match in _NUMBER.finditer(text):
        if len(match.group()) <= _LONGEST:
            yield _value(match)


def normalize_number(text: str) -> Fraction | None:
    """The last number in `text`, exactly; None when it holds none."""
    last = None
    for match in _NUMBER.finditer(text):
        last = match if len(match.group()) <= _LONGEST else last
    return None if last is None else _value(last)


def only_number(text: str) -> Fraction | None:
    """The number that `text` consists of, up to units and punctuation; None when it says more."""
    bare = text.strip(_UNITS)
    match = _NUMBER.search(text)
    if match is None or len(match.group()) > _LONGEST:
        return None
    written = match.group().lstrip("-\u2212$€£¥₹")
    return _value(match) if bare.lstrip("-\u2212$€£¥₹").lstrip(".") == written.lstrip(".") else None


def _value(match: re.Match[str]) -> Fraction:
    decimal = match["decimal"]
    if decimal is not None:
        digits = decimal.replace(",", "")
        value = Fraction(int(digits)) if digits.isdigit() else Fraction(digits)
        return -value if match["decimal_minus"] else value
    numerator, denominator = int(match["numerator"]), int(match["denominator"])
    # "in 2020 10/5": the number in front belongs to a mixed fraction only when the rest is below one.
    whole = int(match["whole"]) if match["whole"] and numerator < denominator else 0
    value = whole + Fraction(numerator, denominator)
    return -value if match["fraction_minus"] else value
