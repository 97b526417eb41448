"""Quantities of parts: every unit, to its last digit, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.board.quantities import QUANTITIES
from fwgen.errors import UnitError


@pytest.mark.parametrize(
    ("quantity", "text", "value", "shown"),
    [
        ("pressure", "1013.25 hPa", 101_325_000, "1013.25 hPa"),
        ("pressure", "101325 Pa", 101_325_000, "1013.25 hPa"),
        ("pressure", "1 bar", 10**8, "1000 hPa"),
        ("acceleration", "-0.5 g", -500_000, "-0.5 g"),
        ("acceleration", "2 mg", 2000, "0.002 g"),
        ("rotation", "90 °/s", 90_000, "90 °/s"),
        ("rotation", "-1.5deg/s", -1500, "-1.5 °/s"),
        ("rotation", "250 dps", 250_000, "250 °/s"),
        ("moment", "2000-01-01 00:00:00", 0, "2000-01-01 00:00:00"),
        ("moment", "2024-02-29T23:59:50", 762_566_390, "2024-02-29 23:59:50"),
        ("address", "0x50", 0x50, "0x50"),
        ("address", "9", 9, "0x09"),
        ("bytes", "0102aB", "01 02 ab", "01 02 ab"),
    ],
)
def test_a_quantity_is_read_and_shown(quantity, text, value, shown) -> None:
    known = QUANTITIES[quantity]
    assert known.parse(text) == value
    assert known.show(value) == shown


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("pressure", "1 psi"), ("acceleration", "9.81"), ("rotation", "1 rpm"),
        ("moment", "2024-02-30 00:00:00"), ("moment", "1999-12-31 23:59:59"),
        ("moment", "2024-01-01 00:00:00+01:00"), ("moment", "2200-01-01"), ("moment", "noon"),
        ("address", "x"), ("bytes", "0"),
    ],
)  # fmt: skip
def test_what_is_none_is_refused(quantity, text) -> None:
    with pytest.raises(UnitError):
        QUANTITIES[quantity].parse(text)


@pytest.mark.parametrize("quantity", ["pressure", "acceleration", "rotation", "moment"])
@given(value=st.integers(0, 6_311_433_599))
def test_what_is_written_is_read_back_to_its_last_digit(quantity: str, value: int) -> None:
    known = QUANTITIES[quantity]
    assert known.parse(known.exact(value)) == value
