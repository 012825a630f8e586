"""From what people and small models write as arithmetic to a plain expression.

Accepted beside Python's own operators: thousands separators, currency signs, the typographic signs for
times, divided by and minus, "x", "^", [ ] { }, "20%" and "20% of 50", "5!", "2(3)", quotes around, and
"=" (with or without a result) behind. "%" in front of an operand is the remainder.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from tools_service.failures import refused, wrong_value

MAX_CHARACTERS = 500
MAX_EXPONENT = 600  # of a literal in scientific notation
FUNCTIONS = frozenset({"abs", "ceil", "factorial", "floor", "gcd", "lcm", "max", "min", "round", "sqrt"})
_SEVERAL_ARGUMENTS = re.compile(r"\b(?:gcd|lcm|max|min|round)\b")

_SAME = str.maketrans(
    {
        "×": "*", "·": "*", "∙": "*", "⋅": "*", "✕": "*", "∗": "*",  # noqa: RUF001
        "÷": "/", "∕": "/", "⁄": "/", "−": "-", "–": "-", "—": "-",  # noqa: RUF001
        "[": "(", "]": ")", "{": "(", "}": ")", "²": "^2", "³": "^3",
        "$": " ", "€": " ", "£": " ", "\u00a0": " ", "\u202f": " ",
    }
)  # fmt: skip
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{2,3})*,\d{3}(?![\d,])")
_RESULT = re.compile(r"[-?\d.,/% ]*")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z]+)|(?P<sign>\*\*|//|[-+*/^%(),!]))",
    re.ASCII,
)


@dataclass(frozen=True)
class Expression:
    """Source in Python's grammar in which the literal number i is written as the name `n<i>`."""

    source: str
    numbers: tuple[int | Fraction, ...]


def read_expression(text: str) -> Expression:
    """Reads arithmetic as it is written.

    Raises:
        ToolFailure: wrong_type_or_value when the text is not arithmetic or too long,
            tool_call_failure for a literal out of range.
    """
    if len(text) > MAX_CHARACTERS:
        raise wrong_value(f"the expression is too long ({len(text)} characters; at most {MAX_CHARACTERS})")
    plain = text.strip().strip("\"'`").translate(_SAME)
    plain, _, result = plain.partition("=")
    if not _RESULT.fullmatch(result):
        raise wrong_value("expected one expression; '=' may stand only at its end")
    if not plain.strip():
        raise wrong_value("the expression is empty")
    if "," in plain and not _SEVERAL_ARGUMENTS.search(plain):
        plain = _GROUPED.sub(lambda found: found[0].replace(",", ""), plain)
    return _Reader(plain).read()


class _Reader:
    """Copies tokens to `parts`; postfix signs wrap the operand that ends there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._split()
        self.parts: list[str] = []
        self.numbers: list[int | Fraction] = []
        self.opened: list[int] = []
        self.operand: int | None = None  # where in `parts` the operand that was just completed begins

    def _split(self) -> list[tuple[str, str]]:
        tokens = []
        position = 0
        while position < len(self.text):
            found = _TOKEN.match(self.text, position)
            if found is None or found.lastgroup is None:
                rest = self.text[position:].strip()
                if not rest:
                    break
                raise wrong_value(f"can't read {rest[:20]!r} as arithmetic")
            tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()
        return tokens

    def read(self) -> Expression:
        for index, (kind, token) in enumerate(self.tokens):
            if kind == "number":
                self._number(token)
            elif kind == "name":
                self._name(token.lower())
            else:
                self._sign(token, index)
        return Expression(" ".join(self.parts), tuple(self.numbers))

    def _number(self, token: str) -> None:
        self._multiply_if_operand(token)
        self.operand = len(self.parts)
        self.parts.append(f"n{len(self.numbers)}")
        self.numbers.append(_literal(token))

    def _name(self, name: str) -> None:
        if name in ("x", "of") and self.operand is not None:
            self.parts.append("*")
            self.operand = None
        elif name in FUNCTIONS:
            if self.operand is not None:
                self.parts.append("*")
            self.operand = None
            self.parts.append(name)
        else:
            raise wrong_value(
                f"can't read {name[:20]!r}; expected numbers, operators and {', '.join(sorted(FUNCTIONS))}"
            )

    def _sign(self, sign: str, index: int) -> None:
        if sign == "(":
            if self.operand is not None:
                self.parts.append("*")
            self.opened.append(len(self.parts) - (1 if self.parts and self.parts[-1] in FUNCTIONS else 0))
            self.parts.append("(")
            self.operand = None
        elif sign == ")":
            if not self.opened:
                raise wrong_value("there is a ')' without its '('")
            self.operand = self.opened.pop()
            self.parts.append(")")
        elif sign == "%" and self.operand is not None and not self._operand_follows(index):
            self._wrap("(", "/ 100 )")
        elif sign == "!" and self.operand is not None:
            self._wrap("factorial (", ")")
        else:
            self.parts.append("**" if sign == "^" else sign)
            self.operand = None

    def _multiply_if_operand(self, token: str) -> None:
        if self.operand is None:
            return
        if self.parts[-1] != ")":
            raise wrong_value(f"an operator is missing in front of {token[:20]!r}")
        self.parts.append("*")

    def _operand_follows(self, index: int) -> bool:
        if index + 1 == len(self.tokens):
            return False
        kind, token = self.tokens[index + 1]
        return kind == "number" or token == "(" or token.lower() in FUNCTIONS

    def _wrap(self, before: str, after: str) -> None:
        assert self.operand is not None
        self.parts.insert(self.operand, before)
        self.parts.append(after)


def _literal(token: str) -> int | Fraction:
    if token.isdigit():
        return int(token)
    _, _, exponent = token.lower().partition("e")
    if exponent and (len(exponent) > 5 or abs(int(exponent)) > MAX_EXPONENT):
        raise refused(f"the number {token[:20]} is out of range")
    value = Fraction(token)
    return value.numerator if value.denominator == 1 else value
