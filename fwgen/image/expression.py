"""Constants as arithmetic: ``CLOCK/RATE - 1`` to an integer, exactly.

    sum of   + -    * / // %    << >>    & ^ |    unary + - ~    ( )    round(x)
    numbers  42  84_000_000  0x2A  0b101010          names  CLOCK, GPIOA, k_table

Precedence is C's. ``/`` must divide without remainder, because a rate that is silently a little
off is the commonest wrong number in firmware; ``a // b`` floors and ``round(a / b)`` rounds half
up where that is meant. Nothing is evaluated that is not in this list.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from fwgen.errors import EmissionError

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|\d[\d_]*)(?![\w.])"
    r"|(?P<name>[A-Za-z_.][\w.$]*)"
    r"|(?P<op><<|>>|//|[-+*/%&|^~()]))",
    re.ASCII,
)
_LEVELS = (("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "//", "%"))
_LIMIT = 1 << 64  # no constant of a 32-bit chip passes through anything larger
_DEPTH = 40
_LENGTH = 200

Node = tuple[str, tuple["Node", ...], str]  # operator, operands, name or digits


class ExpressionError(EmissionError):
    """A constant expression that cannot be read or computed."""


class UnknownNameError(ExpressionError):
    """An expression uses a ``name`` that nothing defines."""

    def __init__(self, name: str) -> None:
        super().__init__(f"nothing is called {name!r}")
        self.name = name


def evaluate(text: str, lookup: Callable[[str], int | None]) -> int:
    """The integer that ``text`` states; ``lookup`` gives a name's value or None.

    Raises ExpressionError (UnknownNameError for a name without a value).
    """
    value = _value(_parse(text), lookup, exact=True)
    if value.denominator != 1:  # pragma: no cover - every "/" was checked on the way
        raise ExpressionError(f"{text!r} is not a whole number")
    return value.numerator


def names(text: str) -> tuple[str, ...]:
    """The names that an expression uses, in order, each once. Raises ExpressionError."""
    found: dict[str, None] = {}

    def walk(node: Node) -> None:
        operator, operands, word = node
        if operator == "name":
            found[word] = None
        for operand in operands:
            walk(operand)

    walk(_parse(text))
    return tuple(found)


def is_name(text: str) -> bool:
    """Whether ``text`` is one bare name."""
    return re.fullmatch(r"[A-Za-z_.][\w.$]*", text, re.ASCII) is not None


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            rest = stripped[at:].lstrip()
            raise ExpressionError(f"cannot read {rest[:12]!r} in {text!r}")
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
        at = match.end()
    return found


@lru_cache(maxsize=1024)
def _parse(text: str) -> Node:
    if len(text) > _LENGTH:
        raise ExpressionError(f"an expression of {len(text)} characters is too long")
    tokens = _tokens(text)
    node, at = _binary(tokens, 0, 0, 0, text)
    if at < len(tokens):
        raise ExpressionError(f"{tokens[at][1]!r} is out of place in {text!r}")
    return node


def _binary(
    tokens: list[tuple[str, str]], at: int, level: int, depth: int, text: str
) -> tuple[Node, int]:
    if level == len(_LEVELS):
        return _unary(tokens, at, depth, text)
    left, at = _binary(tokens, at, level + 1, depth, text)
    while at < len(tokens) and tokens[at][0] == "op" and tokens[at][1] in _LEVELS[level]:
        operator = tokens[at][1]
        right, at = _binary(tokens, at + 1, level + 1, depth, text)
        left = (operator, (left, right), "")
    return left, at


def _unary(tokens: list[tuple[str, str]], at: int, depth: int, text: str) -> tuple[Node, int]:
    if depth > _DEPTH:
        raise ExpressionError(f"{text!r} is nested too deeply")
    if at >= len(tokens):
        raise ExpressionError(f"{text!r} ends too early" if text.strip() else "is empty")
    kind, word = tokens[at]
    if kind == "number":
        return ("number", (), word), at + 1
    if kind == "name" and word == "round":
        inner, at = _unary(tokens, at + 1, depth + 1, text)
        return ("round", (inner,), ""), at
    if kind == "name":
        return ("name", (), word), at + 1
    if word in ("-", "+", "~"):
        inner, at = _unary(tokens, at + 1, depth + 1, text)
        return (f"unary{word}", (inner,), ""), at
    if word == "(":
        inner, at = _binary(tokens, at + 1, 0, depth + 1, text)
        if at >= len(tokens) or tokens[at][1] != ")":
            raise ExpressionError(f"a parenthesis is not closed in {text!r}")
        return inner, at + 1
    raise ExpressionError(f"{word!r} is out of place in {text!r}")


def _value(node: Node, lookup: Callable[[str], int | None], *, exact: bool) -> Fraction:
    operator, operands, word = node
    if operator == "number":
        result = Fraction(_number(word))
    elif operator == "name":
        known = lookup(word)
        if known is None:
            raise UnknownNameError(word)
        result = Fraction(known)
    elif operator == "round":
        result = Fraction((2 * _value(operands[0], lookup, exact=False) + 1) // 2)
    elif operator.startswith("unary"):
        result = _apply_unary(operator[-1], _value(operands[0], lookup, exact=exact))
    else:
        # Only sums and products may carry a fraction up to a round() above them.
        inner = exact or operator not in ("+", "-", "*", "/")
        left, right = (_value(operand, lookup, exact=inner) for operand in operands)
        result = _apply(operator, left, right, exact=inner)
    if abs(result) > _LIMIT:
        raise ExpressionError(f"{show(node)} is larger than 64 bits")
    return result


def _number(word: str) -> int:
    try:
        return int(word, 10 if word.isdigit() else 0)
    except ValueError:
        raise ExpressionError(f"{word!r} is not a number") from None


def _apply_unary(operator: str, value: Fraction) -> Fraction:
    if operator == "~":
        return Fraction(~_whole(value))
    return -value if operator == "-" else value


def _whole(value: Fraction) -> int:
    if value.denominator != 1:
        raise ExpressionError("bits of a fraction mean nothing: round() it first")
    return value.numerator


def _apply(operator: str, left: Fraction, right: Fraction, *, exact: bool) -> Fraction:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if operator in ("/", "//", "%") and right == 0:
        raise ExpressionError(f"{left} {operator} 0 divides by zero")
    if operator == "/":
        result = left / right
        if exact and result.denominator != 1:
            raise ExpressionError(
                f"{left} / {right} leaves a remainder of {left % right}",
                hint="write // to floor it, or round(a / b)",
            )
        return result
    return Fraction(_apply_whole(operator, _whole(left), _whole(right)))


def _apply_whole(operator: str, left: int, right: int) -> int:
    if operator == "//":
        return left // right
    if operator == "%":
        return left % right
    if operator in ("<<", ">>"):
        if not 0 <= right <= 64:
            raise ExpressionError(f"cannot shift by {right}")
        return left << right if operator == "<<" else left >> right
    if operator == "&":
        return left & right
    return left | right if operator == "|" else left ^ right


def show(node: Node) -> str:
    """An expression's tree as text again."""
    operator, operands, word = node
    if not operands:
        return word
    if len(operands) == 1:
        inner = show(operands[0])
        return f"round({inner})" if operator == "round" else f"{operator[-1]}{inner}"
    return f"({show(operands[0])} {operator} {show(operands[1])})"
