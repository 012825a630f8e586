"""Exact arithmetic for language models: a whitelist over Python's syntax tree, bounded in time and memory."""

import ast
import math
import operator
from collections.abc import Callable, Sequence
from decimal import Context, Decimal, DecimalException
from fractions import Fraction

from tools_service.calculator_text import read_expression
from tools_service.failures import ToolFailure, refused, wrong_value

Exact = int | Fraction

MAX_BITS = 2048  # of a numerator or denominator; keeps every operation in the microseconds
MAX_DEPTH = 100  # of brackets, signs and powers within each other
MAX_FACTORIAL = 250
EXACT_DECIMALS = 15  # a decimal that ends within these is shown whole ...
SHOWN_DECIMALS = 10  # ... all others are rounded to this many
MAX_WORK = 250_000  # in bits of the intermediate results, fractions counted eightfold
ROOT_WORK = 12_000  # of a power that is not whole, in the same measure
_ROOTS = Context(prec=40)


def calculator(expression: str) -> str:
    """Evaluates arithmetic exactly and gives the result as a number.

    Args:
        expression: arithmetic with + - * / // % ** ( ) and abs, ceil, factorial, floor, gcd, lcm, max,
            min, round, sqrt; for example (12.5 + 3) * 4

    Returns:
        An integer, or a decimal rounded to 10 places unless it ends within 15.

    Raises:
        ToolFailure: wrong_type_or_value for text that is not arithmetic; tool_call_failure for a
            division by zero, a result beyond 2048 bits or one that is not a real number.
    """
    return render(evaluate(expression))


def evaluate(text: str) -> Exact:
    """The exact value; roots are rounded to 40 significant digits. Raises as `calculator`."""
    expression = read_expression(text)
    try:
        tree = ast.parse(expression.source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise wrong_value(f"can't read {text.strip()[:60]!r} as arithmetic") from None
    try:
        return _Evaluation(expression.numbers).value(tree.body, 0)
    except ZeroDivisionError:
        raise refused("division by zero") from None


def render(value: Exact) -> str:
    """The value as a person writes it: no exponent unless it is tiny, no trailing zeros."""
    if value.denominator == 1:
        return str(value.numerator)
    value = Fraction(value)
    places = _ending(value.denominator)
    if places is None or places > EXACT_DECIMALS:
        value, places = _rounded(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, decimals = (digits[:-places], digits[-places:].rstrip("0")) if places else (digits, "")
    sign = "-" if value < 0 else ""
    if whole == "0" and len(decimals) > EXACT_DECIMALS:
        return f"{Decimal(sign + whole + '.' + decimals).normalize():e}"
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def _rounded(value: Fraction) -> tuple[Fraction, int]:
    """Rounded to 10 places, or to 10 significant digits below 1, and how many places these are."""
    places = SHOWN_DECIMALS
    if abs(value) < 1:
        places += max(0, int((value.denominator.bit_length() - abs(value.numerator).bit_length()) * 0.30103))
    return round(value, places), places


def _ending(denominator: int) -> int | None:
    """After how many places a fraction with this denominator ends; None when it never does."""
    twos = (denominator & -denominator).bit_length() - 1
    rest = denominator >> twos
    fives = 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    return max(twos, fives) if rest == 1 else None


class _Evaluation:
    """One walk over a syntax tree; what it does is weighed, so that no text can take long."""

    def __init__(self, numbers: Sequence[Exact]) -> None:
        self._numbers = numbers
        self._work = 0

    def value(self, node: ast.expr, depth: int) -> Exact:
        """The node's exact value."""
        if depth > MAX_DEPTH:
            raise wrong_value(f"the expression is nested more than {MAX_DEPTH} deep")
        pending = []
        while isinstance(node, ast.BinOp):  # a long sum leans to the left: walked, not recursed
            pending.append(node)
            node = node.left
        value = self._operand(node, depth)
        for binary in reversed(pending):
            apply = _BINARY.get(type(binary.op))
            if apply is None:
                raise wrong_value("an operator that is not arithmetic")
            right = self.value(binary.right, depth + 1)
            if apply is _power and right.denominator != 1:
                self._work += ROOT_WORK
            value = self._weighed(apply(value, right))
        return value

    def _operand(self, node: ast.expr, depth: int) -> Exact:
        match node:
            case ast.Name(id=name) if name[0] == "n" and name[1:].isdigit():
                return self._weighed(self._numbers[int(name[1:])])
            case ast.Constant(value=int(value)):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand, depth + 1)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand, depth + 1)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
                values = [self.value(argument, depth + 1) for argument in arguments]
                return self._weighed(_call(name, values))
        raise wrong_value("expected numbers, operators and brackets only")

    def _weighed(self, value: Exact) -> Exact:
        """The value itself, as an int where it is one, when it is within bounds and work is left."""
        numerator, denominator = value.numerator, value.denominator
        bits = max(numerator.bit_length(), denominator.bit_length())
        if bits > MAX_BITS:
            raise refused("the result is too large")
        self._work += 100 + (bits if denominator == 1 else 8 * bits)
        if self._work > MAX_WORK:
            raise refused("the expression takes too long")
        return numerator if denominator == 1 else value


def _call(name: str, values: Sequence[Exact]) -> Exact:
    try:
        return _FUNCTIONS[name](*values)
    except (TypeError, AttributeError):
        raise wrong_value(f"{name} can't take {len(values)} such arguments") from None


def _divide(left: Exact, right: Exact) -> Exact:
    return Fraction(left, right)


def _power(base: Exact, exponent: Exact) -> Exact:
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if size > 1 and size * abs(Fraction(exponent)) > 2 * MAX_BITS:
        raise refused("the result is too large")
    if exponent.denominator == 1:
        whole = exponent.numerator
        if size <= 1 and abs(whole) > 2:  # 0, 1 or -1: only the exponent's sign and parity matter
            whole = (2 - whole % 2) * (1 if whole > 0 else -1)
        power: Fraction = Fraction(base) ** whole
        return power
    if base < 0:
        raise refused("a power of a negative number that is not a real number")
    if exponent == Fraction(1, 2):
        return _sqrt(base)
    return _approximately(lambda: _ROOTS.power(_decimal(base), _decimal(exponent)))


def _sqrt(value: Exact) -> Exact:
    if value < 0:
        raise refused("the square root of a negative number is not a real number")
    root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
    return root if root * root == value else _approximately(lambda: _ROOTS.sqrt(_decimal(value)))


def _approximately(compute: Callable[[], Decimal]) -> Exact:
    try:
        return Fraction(compute())
    except (DecimalException, OverflowError, ValueError):
        raise refused("the result is not a real number within range") from None


def _decimal(value: Exact) -> Decimal:
    return _ROOTS.divide(Decimal(value.numerator), Decimal(value.denominator))


def _factorial(value: Exact) -> int:
    if value.denominator != 1 or value.numerator < 0:
        raise refused("factorial is defined for whole numbers from 0 on")
    if value.numerator > MAX_FACTORIAL:
        raise refused("the result is too large")
    return math.factorial(value.numerator)


def _round(value: Exact, places: Exact = 0) -> Exact:
    if places.denominator != 1 or abs(places.numerator) > 50:
        raise refused("round takes a whole number of places, at most 50")
    return round(Fraction(value), places.numerator)


def _whole(function: Callable[..., int]) -> Callable[..., Exact]:
    def apply(*values: Exact) -> Exact:
        if any(value.denominator != 1 for value in values):
            raise refused(f"{function.__name__} takes whole numbers")
        return function(*(value.numerator for value in values))

    return apply


def _extreme(choose: Callable[[Sequence[Exact]], Exact]) -> Callable[..., Exact]:
    def apply(*values: Exact) -> Exact:
        if not values:
            raise wrong_value("expected at least one number")
        return choose(values)

    return apply


_BINARY: dict[type[ast.operator], Callable[[Exact, Exact], Exact]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_FUNCTIONS: dict[str, Callable[..., Exact]] = {
    "abs": abs,
    "ceil": math.ceil,
    "factorial": _factorial,
    "floor": math.floor,
    "gcd": _whole(math.gcd),
    "lcm": _whole(math.lcm),
    "max": _extreme(max),
    "min": _extreme(min),
    "round": _round,
    "sqrt": _sqrt,
}

__all__ = ["ToolFailure", "calculator", "evaluate", "render"]
