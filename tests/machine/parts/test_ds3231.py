"""DS3231 alone: the calendar, alarms, square waves, the thermometer, and what it does not take."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.parts import ds3231_calendar as calendar
from tests.machine.parts.bench import MS, US, S
from tests.machine.parts.buses import OnI2c

START = datetime(2000, 1, 1)


def made(time: str = "", more: str = "") -> OnI2c:
    one = OnI2c("\n".join(filter(None, ("kind='ds3231'", f"time='{time}'" if time else "", more))))
    for role in one.spec.pins:
        if role in ("int", "32khz"):
            one.put(**{role: None})
    return one


def clock(one: OnI2c) -> str:
    return one.read(0, 7).hex(" ")


@given(st.integers(0, 36_524 * 86_400))
@settings(max_examples=300)
def test_the_calendar_is_the_world_s_up_to_2100(seconds: int) -> None:
    moment = START + timedelta(seconds=seconds)
    if moment.year >= 2100:
        return
    year, month, date = calendar.date_of(seconds // 86_400)
    assert (2000 + year, month, date) == (moment.year, moment.month, moment.day)
    assert calendar.days_to(year, month, date) == seconds // 86_400


@given(st.integers(0, 50 * calendar.FOUR_YEARS * 86_400 - 1), st.booleans(), st.integers(1, 7))
@settings(max_examples=300)
def test_registers_say_a_moment_and_are_read_back(seconds, twelve, weekday) -> None:
    days, second = divmod(seconds, 86_400)
    moment = calendar.Moment(*calendar.date_of(days), weekday, second)
    assert calendar.moment_of(calendar.registers(moment, twelve=twelve)) == moment


def test_one_that_was_never_set_says_so() -> None:
    one = made()
    assert clock(one) == "00 00 00 01 01 01 00"
    assert one.read(0x0E, 2) == b"\x1c\x8c"
    one.write(0x0F, 0x08)
    assert one.wait(S).read(0x0F) == b"\x08"
    one.write(0x0F, 0x88)
    assert one.read(0x0F) == b"\x08", "OSF cannot be set"


def test_it_goes_on_over_midnight_and_a_leap_day() -> None:
    one = made("2024-02-28 23:59:58")
    assert clock(one) == "58 59 23 03 28 02 24"
    assert not one.read(0x0F)[0] & 0x80
    assert clock(one.wait(2 * S)) == "00 00 00 04 29 02 24"
    assert clock(one.wait(86_400 * S)) == "00 00 00 05 01 03 24"


def test_a_century_turns_its_bit_and_199_ends() -> None:
    one = made("2099-12-31 23:59:59")
    assert clock(one.wait(S)) == "00 00 00 05 01 81 00"
    one.write(0, 0x59, 0x59, 0x23, 7, 0x31, 0x92, 0x99)
    assert clock(one.wait(S)) == "00 00 00 01 01 01 00"


def test_twelve_hours_have_an_am_and_a_pm() -> None:
    one = made()
    one.write(0, 0x59, 0x59, 0x71, 1)  # 11:59:59 PM
    assert clock(one) == "59 59 71 01 01 01 00"
    assert clock(one.wait(S)) == "00 00 52 02 02 01 00"
    assert clock(one.wait(12 * 3600 * S)) == "00 00 72 02 02 01 00"


def test_writing_the_seconds_begins_a_second_and_other_registers_do_not() -> None:
    one = made("2024-01-01 00:00:00").wait(700 * MS)
    one.write(1, 0x30)
    assert one.read(0) == b"\x00"
    assert one.wait(300 * MS).read(0) == b"\x01"
    one.wait(700 * MS)
    one.write(0, 0x10)
    assert one.wait(900 * MS).read(0) == b"\x10"
    assert one.wait(100 * MS).read(0, 2) == b"\x11\x30"


def test_the_time_stands_while_it_is_read() -> None:
    one = made("2024-01-01 00:59:59").wait(999_940 * US)
    assert clock(one) == "59 59 00 01 01 01 24"  # the second ends within the transfer
    assert clock(one) == "00 00 01 01 01 01 24"


@pytest.mark.parametrize(
    ("alarm", "after"),
    [
        ((0x80, 0x80, 0x80, 0x80), 1),
        ((0x10, 0x80, 0x80, 0x80), 10),
        ((0x05, 0x02, 0x80, 0x80), 125),
        ((0x00, 0x00, 0x13, 0x80), 3600),
        ((0x00, 0x00, 0x12, 0x02), 86_400),
        ((0x00, 0x00, 0x12, 0x43), 2 * 86_400),
    ],
)
def test_alarm_1_comes_when_what_is_not_masked_matches(alarm, after) -> None:
    one = made("2024-01-01 12:00:00", "int='PC0'")
    one.write(7, *alarm)
    one.write(0x0E, 0x05)
    one.wait(after * S - one.t - MS)
    assert one.level("int") == 1
    assert one.read(0x0F)[0] & 1 == 0
    one.wait(2 * MS)
    assert one.level("int") == 0
    assert one.read(0x0F)[0] & 3 == 1
    one.write(0x0F, 0x08)
    assert one.level("int") == 1
    assert not one.hazards()


def test_alarm_2_has_no_seconds() -> None:
    one = made("2024-01-01 12:00:30")
    one.write(0x0B, 0x80, 0x80, 0x80)
    assert one.wait(29 * S).read(0x0F)[0] & 2 == 0
    assert one.wait(S).read(0x0F)[0] & 2 == 2
    one.write(0x0F, 0)
    one.write(0x0B, 0x02, 0x12, 0x80)
    assert one.wait(59 * S).read(0x0F)[0] & 2 == 0
    assert one.wait(S).read(0x0F)[0] & 2 == 2


@pytest.mark.parametrize(("rs", "hz"), [(0, 1), (1, 1024), (2, 4096), (3, 8192)])
def test_square_waves_have_their_rate(rs: int, hz: int) -> None:
    one = made("2024-01-01 00:00:00", "int='PC0'")
    one.write(0x0E, rs << 3)
    before = len(one.edges("int"))
    one.wait((5 * S if hz == 1 else 50 * MS) - one.t % S)
    falls = [t for t, level in one.edges("int")[before:] if level == 0]
    steps = {b - a for a, b in pairwise(falls)}
    assert steps
    assert all(abs(step - S // hz) <= 1 for step in steps)
    if hz == 1:
        assert falls[0] % S == 0, "with the second"


def test_the_32_khz_pin_runs_until_it_is_switched_off() -> None:
    one = made("2024-01-01 00:00:00", "32khz='PC1'").wait(10 * MS)
    assert len(one.edges("32khz")) in range(654, 658)
    one.write(0x0F, 0)
    before = len(one.edges("32khz"))
    one.wait(10 * MS)
    assert len(one.edges("32khz")) - before <= 1
    assert one.level("32khz") == 1


def test_the_temperature_is_measured_every_64_seconds_and_when_asked() -> None:
    one = made("2024-01-01 00:00:00").wait(S)
    one.senses(-10_250)
    assert one.read(0x11, 2) == b"\x19\x00"
    one.write(0x0E, 0x3C)
    assert one.read(0x0E, 2) == b"\x3c\x08", "BSY comes 2 ms later"
    one.wait(3 * MS)
    assert one.read(0x0F) == b"\x0c"
    assert one.read(0x11, 2) == b"\x19\x00"
    one.wait(200 * MS)
    assert one.read(0x0E, 2) == b"\x1c\x08"
    assert one.read(0x11, 2) == b"\xf5\xc0"
    one.senses(30_500)
    one.wait(64 * S - one.t + 100 * MS)
    assert one.read(0x0F)[0] & 4
    one.write(0x0E, 0x3C)
    assert one.hazards() == ["part-ignored"]
    one.wait(200 * MS)
    assert one.read(0x11, 2) == b"\x1e\x80"


def test_a_battery_keeps_it_and_without_one_it_is_lost() -> None:
    one, other = made(), made("", "battery='no'")
    for part in (one, other):
        part.write(0, 0x30, 0x15)
        part.write(0x0F, 0)
        part.wait(S)
        part.model.power_on(part.t)
    assert clock(one)[:5] == "31 15"
    assert not one.read(0x0F)[0] & 0x80
    assert clock(other)[:5] == "00 00"
    assert other.read(0x0F)[0] & 0x80


def test_what_is_no_date_and_what_has_no_place_is_told() -> None:
    one = made("2024-01-01 00:00:00")
    one.write(4, 0x31, 0x02)
    assert one.hazards() == ["part-reserved"]
    assert "no date" in one.hazard().message
    assert clock(one)[9:] == "01 01 01 24"
    one.write(0x11, 1)
    assert one.hazards() == ["part-reserved", "part-ignored"]


def test_masks_with_a_hole_are_told() -> None:
    one = made("2024-01-01 00:00:00")
    one.write(7, 0, 0x80, 0, 0x80)
    one.write(0x0E, 0x05)
    one.read(0)
    assert one.hazards() == ["part-reserved"]
