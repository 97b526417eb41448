"""Sensors on a bus endure whatever they are told, and power-on restores each of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.parts.bench import MS
from tests.machine.parts.buses import OnI2c, OnSpi

KINDS = {
    "tmp102": ("alert='PC0'", range(4)), "bme280": ("", range(0xF2, 0xF6)),
    "mpu6050": ("int='PC0'", (0x19, 0x1A, 0x1B, 0x1C, 0x23, 0x37, 0x38, 0x6B, 0x6C, 0x72, 0x73)),
    "ds3231": ("int='PC0'\nbattery='no'", range(0x13)),
}  # fmt: skip
byte = st.integers(0, 255)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.lists(byte, min_size=1, max_size=9)),
        st.tuples(st.just("fetch"), st.integers(1, 20)),
        st.tuples(st.just("wait"), st.integers(1, 3 * 10**12)),
        st.tuples(st.just("sense"), st.integers(-40_000, 85_000)),
    ),
    max_size=12,
)


def known(one: OnI2c, registers) -> list[bytes]:
    width = 2 if one.spec.kind == "tmp102" else 1
    return [one.read(register, width) for register in registers]


@pytest.mark.parametrize("kind", KINDS)
@given(steps)
@settings(max_examples=25, deadline=None)
def test_nothing_breaks_it_and_its_supply_restores_it(kind: str, doing) -> None:
    more, registers = KINDS[kind]
    one = OnI2c(f"kind='{kind}'\n{more}").wait(110 * MS)
    assert isinstance(one, OnI2c)
    fresh = known(one, registers)
    for what, how in doing:
        if what == "write":
            one.write(*how)
        elif what == "fetch":
            got = one.fetch(how)
            assert got is None or len(got) == how
        elif what == "wait":
            one.wait(how)
        else:
            one.senses(how)
    one.senses(25_000)
    one.model.power_on(one.t)
    one.wait(110 * MS)
    assert known(one, registers) == fresh


@given(st.lists(st.tuples(st.lists(byte, min_size=1, max_size=9), st.integers(0, 7)), max_size=12))
@settings(max_examples=25, deadline=None)
def test_nothing_breaks_a_bme280_on_spi(doing) -> None:
    one = OnSpi("kind='bme280'")
    one.wait(3 * MS)
    for data, bits in doing:
        one.does(*data, bits=bits)
        one.wait(MS)
    one.model.power_on(one.t)
    one.wait(3 * MS)
    assert one.does(0xF2, count=4) == bytes(4)
