"""The parts of the RTC (calendar, dividers, alarms), each against a plain model."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.stm32.rtc_v2_f4.alarms import Pattern, read_pattern
from fwgen.machine.stm32.rtc_v2_f4.calendar import DAY, Moment, read_registers
from fwgen.machine.stm32.rtc_v2_f4.prescalers import CYCLE, MINUTE, Coarse, Prescalers, Smooth

# ---------------------------------------------------------------------- calendar

seconds = st.integers(0, 36525 * DAY - 1)
moments = st.builds(Moment, seconds, st.integers(0, 6))


@given(moments, st.booleans())
def test_registers_say_what_python_says(moment: Moment, twelve: bool) -> None:
    when = datetime(2000, 1, 1) + timedelta(seconds=moment.second)
    text = when.strftime("%I%M%S" if twelve else "%H%M%S")
    afternoon = twelve and when.hour >= 12
    assert moment.time_register(twelve=twelve) == int(text, 16) | afternoon << 22
    assert moment.date_register() & ~0xE000 == int(when.strftime("%y%m%d"), 16)
    assert read_registers(
        moment.time_register(twelve=twelve), moment.date_register(), twelve=twelve
    ) == (moment, [])


@given(moments, st.integers(0, 10**10))
def test_days_of_the_week_follow_each_other_also_through_the_century(
    moment: Moment, ahead: int
) -> None:
    later = moment.later(ahead)
    days = (moment.second + ahead) // DAY - moment.second // DAY
    assert (later.weekday - moment.weekday - days) % 7 == 0
    assert later.of_day == (moment.of_day + ahead) % DAY
    assert later.later(-ahead) == moment


@pytest.mark.parametrize(
    ("tr", "dr", "twelve", "wrong"),
    [
        (0x240000, 0x2101, False, "hour"), (0x3A, 0x2101, False, "second"),
        (0x6000, 0x2101, False, "minute"), (0x000000, 0x2101, True, "hour"),
        (0x130000, 0x2101, True, "hour"), (0x410000, 0x2101, False, "hour"),
        (0, 0x0101, False, "week"), (0, 0x3301, False, "month"), (0, 0x2230, False, "day"),
        (0, 0x012229, False, "day"), (0, 0xA02101, False, "year"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_named(tr: int, dr: int, twelve: bool, wrong: str) -> None:
    _, told = read_registers(tr, dr, twelve=twelve)
    assert len(told) == 1
    assert wrong in told[0]


# ---------------------------------------------------------------------- dividers


class Plain:
    """The dividers, tick by tick."""

    def __init__(self, start: Prescalers) -> None:
        self.set, self.tick = start, start.tick
        self.calibration, self.minute = start.calibration, start.minute
        self.cycle, self.sub, self.second = start.cycle, start.sub, 0

    def step(self) -> None:
        self.tick += 1
        self.calibration += 1
        pulses = 1
        smooth = self.set.smooth
        if smooth.plus and self.calibration % 2048 == 0:
            pulses += 1
        for bit in range(9):
            if smooth.minus >> bit & 1 and self.calibration % (1 << 20 - bit) == 1 << 19 - bit:
                pulses -= 1
        for _ in range(pulses):
            self.cycle += 1
            if self.cycle > self.set.asynchronous:
                self.cycle = 0
                self._cycle_done()

    def _cycle_done(self) -> None:
        self.minute += 1
        coarse, cycles = self.set.coarse, 1
        minute = (self.minute // MINUTE - 1) % CYCLE
        if self.minute % MINUTE == 0 and minute < coarse.minutes:
            cycles = 0 if coarse.negative else 3
        for _ in range(cycles):
            self.sub -= 1
            if self.sub < 0:
                self.sub = self.set.synchronous
                self.second += 1


dividers = st.builds(
    Prescalers,
    tick=st.integers(0, 10**6),
    asynchronous=st.integers(0, 5),
    synchronous=st.integers(0, 40),
    smooth=st.builds(Smooth, st.booleans(), st.integers(0, 511)),
    coarse=st.builds(Coarse, st.integers(0, 62), st.booleans()),
    calibration=st.integers(0, 1 << 21),
    minute=st.integers(MINUTE * 60 - 3000, MINUTE * 66),
    cycle=st.just(0),
    sub=st.integers(0, 60),
)


@settings(max_examples=40, deadline=None)
@given(dividers, st.lists(st.integers(0, 6000), min_size=1, max_size=4))
def test_dividers_asked_now_and_then_are_dividers_stepped(
    start: Prescalers, waits: list[int]
) -> None:
    plain, moved, begun = Plain(start), start, 0
    for wait in waits:
        for _ in range(wait):
            plain.step()
        assert start.at(plain.tick) == (plain.second, plain.sub)
        begun += moved.at(plain.tick)[0]
        moved = moved.moved(plain.tick)
        assert (begun, moved.sub, moved.cycle) == (plain.second, plain.sub, plain.cycle)


@settings(max_examples=40, deadline=None)
@given(dividers, st.integers(0, 50), st.integers(0, 40))
def test_the_tick_foreseen_is_the_first_at_which_it_is_so(
    start: Prescalers, second: int, sub: int
) -> None:
    sub = min(sub, start.synchronous if second else start.sub)
    tick = start.tick_of(second, sub)
    reached = start.at(tick)
    assert (reached[0], -reached[1]) >= (second, -sub)
    if tick > start.tick:
        before = start.at(tick - 1)
        assert (before[0], -before[1]) < (second, -sub)


@pytest.mark.parametrize(
    ("smooth", "pulses"),
    [(Smooth(True, 0), 512), (Smooth(False, 511), -511), (Smooth(True, 511), 1), (Smooth(), 0)],
)
def test_smooth_calibration_over_its_cycle(smooth: Smooth, pulses: int) -> None:
    assert smooth.pulses(1 << 20) - (1 << 20) == pulses
    assert smooth.pulses(5 << 20) - (5 << 20) == 5 * pulses


@pytest.mark.parametrize(("steps", "negative", "ticks"), [(1, False, 512), (31, True, -7936)])
def test_coarse_calibration_over_64_minutes(steps: int, negative: bool, ticks: int) -> None:
    """+4.069 ppm and -2.035 ppm for each step (§17.3.10)."""
    coarse = Coarse(2 * steps, negative)
    assert (coarse.cycles(CYCLE * MINUTE) - CYCLE * MINUTE) * 128 == ticks


# ---------------------------------------------------------------------- alarms

maybe = st.none


def patterns() -> st.SearchStrategy[Pattern]:
    return st.builds(
        Pattern,
        second=maybe() | st.integers(0, 59),
        minute=maybe() | st.integers(0, 59),
        hour=maybe() | st.integers(0, 23),
        day=maybe() | st.integers(1, 7),
        weekly=st.booleans(),
    )


@settings(max_examples=30, deadline=None)
@given(patterns(), moments)
def test_the_next_match_is_the_first(pattern: Pattern, moment: Moment) -> None:
    found = pattern.next_second(moment)
    assert found is not None

    def matches(ahead: int) -> bool:
        there = moment.later(ahead)
        fields = (there.of_day % 60, there.of_day // 60 % 60, there.hour)
        wanted = (pattern.second, pattern.minute, pattern.hour)
        fits = all(w in (None, f) for w, f in zip(wanted, fields, strict=True))
        return fits and pattern.on(there)

    assert matches(found)
    step = 1 if found < 4000 else 599  # all of them, or a sample
    assert not any(matches(n) for n in range(0, found, step))


def test_a_leap_day_is_found_and_a_day_that_never_comes_is_not() -> None:
    start, _ = read_registers(0, 0x013101, twelve=False)
    never = Pattern(None, None, None, 32, weekly=False)
    assert never.next_second(start) is None
    assert Pattern(61, None, None, None, weekly=False).next_second(start) is None
    day = Pattern(0, 0, 0, 29, weekly=False).next_second(start)
    assert day is not None
    assert start.later(day).date.day == 29


@given(st.integers(0, 400), st.integers(1, 400), st.integers(0, 511), st.integers(1, 9))
def test_sub_seconds_match_where_their_lowest_bits_do(
    sub: int, reload: int, wanted: int, bits: int
) -> None:
    mask = (1 << bits) - 1
    pattern = Pattern(None, None, None, None, weekly=False, sub=wanted, mask=mask)
    counted = [(0, s) for s in range(sub - 1, -1, -1)]
    counted += [(n, s) for n in (1, 2) for s in range(reload, -1, -1)]
    first = next((c for c in counted if not (c[1] ^ wanted) & mask), None)
    assert pattern.following(Moment(0), sub, reload) == first


def test_masks_formats_and_fields_that_are_no_time() -> None:
    everything = read_pattern(0x80808080, 0, twelve=False)
    assert (everything.second, everything.minute, everything.hour, everything.day) == (None,) * 4
    noon = read_pattern(1 << 31 | 1 << 22 | 0x12 << 16 | 0x30 << 8, 5 << 24 | 9, twelve=True)
    assert (noon.hour, noon.minute, noon.second, noon.sub, noon.mask) == (12, 30, 0, 9, 31)
    friday = read_pattern(1 << 30 | 5 << 24 | 0x00808080, 0, twelve=False)
    assert (friday.weekly, friday.day) == (True, 5)
    wrong = read_pattern(1 << 31 | 0x24 << 16, 0, twelve=False)
    assert wrong.next_second(Moment(0)) is None
