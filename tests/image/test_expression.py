from __future__ import annotations

import ast
import contextlib
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.image.expression import ExpressionError, UnknownNameError, evaluate, names

KNOWN = {"CLOCK": 16_000_000, "RATE": 1000, "GPIOA": 0x40020000}


def value(text: str) -> int:
    return evaluate(text, KNOWN.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500", 500),
        ("84_000_000", 84_000_000),
        ("0x2A", 42),
        ("0b1010", 10),
        ("CLOCK/RATE - 1", 15999),
        ("GPIOA + 0x14", 0x40020014),
        ("1 << 5 | 1 << 3", 40),
        ("1 | 2 ^ 3 & 1", 1 | 2 ^ 3 & 1),
        ("2 + 3 * 4 - 1", 13),
        ("-(3) + ~0", -4),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 % 4", 3),
        ("round(10 / 4)", 3),
        ("round(CLOCK / 115200)", 139),
        ("round(1 / 3 + 1 / 6)", 1),
        ("256 >> 4 >> 2", 4),
        ("(1)", 1),
    ],
)
def test_arithmetic_is_that_of_c(text: str, expected: int) -> None:
    assert value(text) == expected


def test_a_division_that_leaves_a_remainder_is_refused_with_the_remainder() -> None:
    with pytest.raises(ExpressionError, match="remainder of 102400") as caught:
        value("CLOCK / 115200")
    assert "round(a / b)" in (caught.value.hint or "")


def test_bits_of_a_fraction_are_refused() -> None:
    with pytest.raises(ExpressionError, match="remainder"):
        value("round((7 / 2) | 1)")


@pytest.mark.parametrize(
    "text",
    ["", "  ", "1 +", "+", "(1", "1)", "1 2", "a b", "1 ** 2", "0x", "12ab", "1.5", "f(1)",
     "__import__('os')", "1 << 65", "1 << -1", "1/0", "1//0", "1%0", "0_", "'a'", "1;2", "@",
     "9999999999999999999999", "(" * 60 + "1" + ")" * 60, "1+" * 300 + "1", "\x00", "é", "010x"],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        value(text)


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(UnknownNameError) as caught:
        value("CLOCK / RTAE")
    assert caught.value.name == "RTAE"


def test_names_are_listed_once_in_order() -> None:
    assert names("b + a * (b - 3)") == ("b", "a")


@given(st.text(max_size=40))
def test_any_text_gives_a_number_or_an_expression_error(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        assert isinstance(value(text), int)


OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "|": operator.or_,
    "^": operator.xor, "&": operator.and_,
}  # fmt: skip


@given(
    st.lists(st.integers(0, 99), min_size=2, max_size=8),
    st.lists(st.sampled_from(list(OPERATORS)), min_size=7, max_size=7),
)
def test_precedence_agrees_with_python_where_both_agree_with_c(
    numbers: list[int], signs: list[str]
) -> None:
    text = str(numbers[0])
    for sign, number in zip(signs, numbers[1:], strict=False):
        text += f" {sign} {number}"
    assert value(text) == _python(ast.parse(text, mode="eval").body)


def _python(node: ast.expr) -> int:
    if isinstance(node, ast.Constant):
        return int(node.value)
    assert isinstance(node, ast.BinOp)
    sign = {
        ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&",
    }[type(node.op)]  # fmt: skip
    return int(OPERATORS[sign](_python(node.left), _python(node.right)))
