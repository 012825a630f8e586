"""Expressions for the calculator's tests: grown with their exact value, mutated, and hostile ones."""

import random
import string
from fractions import Fraction

Grown = tuple[str, Fraction | None]  # the text and its value; None where it divides by zero


def grow_expression(source: random.Random, depth: int) -> Grown:
    """A random expression over + - * / ** and signs, every operation in brackets, with its exact value."""
    if depth == 0 or source.random() < 0.2:
        return _literal(source)
    kind = source.choice("+-*/^n")
    left, left_value = grow_expression(source, depth - 1)
    if kind == "n":
        return f"-({left})", None if left_value is None else -left_value
    if kind == "^":
        exponent = source.randint(0, 4)
        return f"({left}) ** {exponent}", None if left_value is None else left_value**exponent
    right, right_value = grow_expression(source, depth - 1)
    text = f"({left}) {kind} ({right})"
    if left_value is None or right_value is None or (kind == "/" and right_value == 0):
        return text, None
    if kind == "+":
        return text, left_value + right_value
    if kind == "-":
        return text, left_value - right_value
    if kind == "*":
        return text, left_value * right_value
    return text, left_value / right_value


def _literal(source: random.Random) -> Grown:
    if source.random() < 0.5:
        whole = source.randint(0, 10 ** source.randint(1, 7))
        return (f"{whole:,}" if source.random() < 0.3 else str(whole)), Fraction(whole)
    text = f"{source.randint(0, 999)}.{source.randint(0, 999):03d}"
    return text, Fraction(text)


_SCRAPS = [
    "**",
    "//",
    "(",
    ")",
    "x",
    "%",
    "!",
    "=",
    ",",
    "1e9",
    "sqrt(",
    "max(",
    "9" * 30,
    "×",  # noqa: RUF001
    "²",
    "\0",
    "é",
    "_",
]


def mutate(source: random.Random, text: str) -> str:
    """One to three characters or scraps put in, taken out, doubled or replaced."""
    for _ in range(source.randint(1, 3)):
        place = source.randrange(len(text) + 1)
        kind = source.randrange(4)
        scrap = source.choice(_SCRAPS) if source.random() < 0.5 else source.choice(string.printable)
        if kind == 0:
            text = text[:place] + scrap + text[place:]
        elif kind == 1:
            text = text[:place] + text[place + 1 :]
        elif kind == 2:
            text = text[:place] + text[place // 2 :]
        else:
            text = text[:place] + scrap + text[place + 1 :]
    return text[:600]


HOSTILE = (
    "9**9**9",
    "9**9**9**9**9",
    "9^9^9^9",
    "(9**9)**(9**9)",
    "2**(2**(2**(2**(2**2))))",
    "10**10**10",
    "(-9)**9**9",
    "(1/3)**9**9",
    "9**-9**9",
    "0.5**1e9",
    "1.0000001**999999999",
    "99999999**0.9999999999",
    "2**0.1" * 60,
    "+".join(["2^.3"] * 100),
    "*".join(["9" * 40] * 12),
    "*".join(["99^99"] * 80),
    "+".join(["1/7^700"] * 60),
    "+".join(f"1/{n}" for n in range(1000, 1080)),
    "+".join(f"(9^640/7^{n})" for n in range(600, 640)),
    "lcm(" + ",".join(f"{p}^500" for p in range(3, 70, 2)) + ")",
    "gcd(" + ",".join(f"{p}^600" for p in range(3, 70, 2)) + ")",
    "factorial(999999999)",
    "factorial(factorial(factorial(9)))",
    "9!!!!!!!!!",
    "250!/249!" * 1,
    "*".join(["250!"] * 90),
    "170!" + "%" * 400,
    "1" + "!" * 499,
    "1 << 99999999999",
    "1 >> -1",
    "round(1/3, 999999999)",
    "round(1/3, -999999999)",
    "round(9^600/7, 50)",
    "sqrt(" * 99 + "2" + ")" * 99,
    "sqrt(9^640+1)" * 30,
    "(" * 500,
    "(" * 249 + "1" + ")" * 249,
    "(" * 50_000 + "1" + ")" * 50_000,
    ")" * 500,
    "-" * 499 + "1",
    "+" * 499 + "1",
    "--" * 40_000 + "1",
    "1" + "+1" * 249,
    "1" + "**1" * 160,
    "1" + "^1" * 249,
    "2" + "^2" * 249,
    "9" * 499,
    "9" * 1_000_000,
    "1" + "0" * 490 + "e600",
    "1e600*1e600",
    "1e-600*1e-600",
    "1e" + "9" * 490,
    "." * 500,
    "1." * 250,
    "," * 500,
    "1" + ",000" * 124,
    "=" * 500,
    "=" + " " * 498 + "a",
    "1=" + " %" * 249,
    " " * 500,
    " " * 10_000_000,
    "%" * 500,
    "1" + "%" * 499,
    "x" * 500,
    "1" + "x1" * 249,
    "max(" * 124 + "1",
    "max(" + "1," * 240 + "1)",
    "\x00" * 500,
    "²" * 500,
    "9²" * 250,
    "é" * 500,
    "\U0001d7d7**\U0001d7d7**\U0001d7d7",
    "lambda: (yield)",
    "[x for x in range(10**9)]",
    "().__class__.__bases__[0].__subclasses__()",
    "'a'*10**9",
    "print(open('/etc/passwd').read())",
    "0x" + "f" * 400,
    "1j**1e9",
    "1_0" * 100,
    "abs(" + "-(" * 80 + "1" + ")" * 81,
)
