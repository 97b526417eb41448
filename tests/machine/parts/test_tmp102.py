"""TMP102 alone: conversions, formats, one-shot, limits and the alert pin in both modes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.trace import Gap
from tests.machine.parts.bench import MS, S
from tests.machine.parts.buses import OnI2c

PART = "kind='tmp102'\nalert='PC0'"


def made(part: str = PART) -> OnI2c:
    one = OnI2c(part)
    one.put(alert=None)  # pulled up by the chip
    return one


def temperature(one: OnI2c) -> int:
    return int.from_bytes(one.read(0, 2), "big", signed=True)


def test_it_reads_zero_until_its_first_conversion_is_over() -> None:
    one = made().senses(21_500)
    assert temperature(one.wait(20 * MS)) == 0
    # Converted from power-on, when it was 25 °C: what came later shows after the next.
    assert temperature(one.wait(7 * MS)) == 25 << 8
    assert temperature(one.wait(200 * MS)) == 25 << 8
    assert temperature(one.wait(60 * MS)) == 0x1580
    assert one.read(1, 2) == b"\x60\xa0"
    assert one.read(2, 2) == b"\x4b\x00"
    assert one.read(3, 2) == b"\x50\x00"
    assert not one.hazards()


@given(mc=st.integers(-55_000, 150_000), extended=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_temperature_is_within_half_a_step_of_what_was_set(mc: int, extended: bool) -> None:
    one = made().senses(mc)
    one.write(1, 0x60, 0xB0 if extended else 0xA0)
    raw = temperature(one.wait(600 * MS))
    assert raw & 1 == extended
    step = raw >> (3 if extended else 4)
    most = 4095 if extended else 2047
    assert step == most or abs(step * 62.5 - mc) <= 31.25
    assert step != most or mc >= most * 62.5 - 32


def test_one_shot_converts_once_and_tells_by_os() -> None:
    one = made().wait(100 * MS)
    one.write(1, 0x61, 0xA0)
    one.senses(-10_000).wait(S)
    assert one.read(1, 2) == b"\xe1\xa0", "asleep: OS reads 1"
    assert temperature(one) == 25 << 8
    one.write(1, 0xE1, 0xA0)
    assert one.read(1, 1) == b"\x61"
    assert temperature(one.wait(24 * MS)) == 25 << 8
    one.wait(2 * MS)
    assert temperature(one) == -10 << 8
    assert one.read(1, 1) == b"\xe1"
    one.senses(40_000).wait(10 * S)
    assert temperature(one) == -10 << 8


@pytest.mark.parametrize(("cr", "period"), [(0, 4000), (1, 1000), (2, 250), (3, 125)])
def test_conversions_come_at_the_rate_that_is_set(cr: int, period: int) -> None:
    one = made().wait(30 * MS)
    one.write(1, 0x60, cr << 6)
    seen = []
    for n in range(1, 40):
        one.senses(n * 1000)
        one.wait(period * MS // 10 - one.t % (period * MS // 10))
        seen.append(temperature(one) >> 8)
    assert len(set(seen)) in (4, 5), "one in ten"


def test_comparator_mode_holds_alert_until_it_is_below_the_low_limit() -> None:
    one = made().wait(30 * MS)
    for register, degrees in ((2, 30), (3, 40)):
        one.write(register, degrees, 0)
    levels = []
    for degrees in (39, 40, 35, 30, 29, 35):
        levels.append(one.senses(degrees * 1000).wait(300 * MS).level("alert"))
        assert one.read(1, 2)[1] >> 5 & 1 == levels[-1]
    assert levels == [1, 0, 0, 0, 1, 1]


def test_faults_are_counted_in_a_row() -> None:
    one = made().wait(30 * MS)
    one.write(3, 40, 0)
    one.write(1, 0x70, 0xC0)  # F = 10: four, eight a second
    one.senses(50_000).wait(380 * MS)
    one.senses(39_000).wait(130 * MS)
    one.senses(50_000).wait(380 * MS)
    assert one.level("alert") == 1
    assert one.wait(250 * MS).level("alert") == 0


def test_interrupt_mode_alternates_and_a_read_ends_the_alert() -> None:
    one = made().wait(30 * MS)
    one.write(2, 30, 0)
    one.write(3, 40, 0)
    one.write(1, 0x62, 0xA0)
    assert one.senses(45_000).wait(300 * MS).level("alert") == 0
    one.read(0, 2)
    assert one.level("alert") == 1
    assert one.wait(S).level("alert") == 1, "still hot: told once"
    assert one.senses(29_000).wait(300 * MS).level("alert") == 0
    # The SMBus alert response names it, and which limit (1: the low one).
    assert one.fetch(1, 0x0C) == bytes([0x48 << 1 | 1])
    assert one.level("alert") == 1
    assert one.fetch(1, 0x0C) is None
    assert one.senses(45_000).wait(300 * MS).level("alert") == 0


def test_polarity_turns_the_pin_and_the_bit() -> None:
    one = made().wait(30 * MS)
    one.write(1, 0x64, 0xA0)
    assert one.level("alert") == 0
    assert one.read(1, 2) == b"\x64\x80"
    one.senses(90_000).wait(300 * MS)
    assert one.level("alert") == 1
    assert one.read(1, 2) == b"\x64\xa0"


def test_a_general_call_resets_and_one_byte_is_the_high_one() -> None:
    one = made().wait(30 * MS)
    one.write(3, 0x30)
    assert one.read(3, 2) == b"\x30\x00"
    assert one.start(0)
    assert one.model.written(one.t, 6)
    one.stop()
    assert one.read(3, 2) == b"\x50\x00"
    assert one.start(0)
    assert not one.model.written(one.t, 4)


def test_what_the_data_sheet_leaves_open_is_a_gap_and_a_read_only_register_says_so() -> None:
    one = made().wait(30 * MS)
    one.read(0, 3)
    assert [e.register for e in one.soc.recorder.events if isinstance(e, Gap)] == ["register 0"]
    one.write(0, 1, 2)
    one.write(0x45)
    assert one.hazards() == ["part-ignored", "part-reserved"]
    assert temperature(one) == 25 << 8
