"""The RTC on its registers, on a whole chip without a core."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from fwgen.trace import Gap, Hazard
from tests.machine.conftest import hazard_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc
    from fwgen.machine.stm32.pwr_f4 import Pwr
    from fwgen.machine.stm32.rcc_f4 import Rcc

S = 10**12
MS, US = 10**9, 10**6
DBP = 0x8100
LSE_ON, LSE_RTC = 0x0001, 0x8101
FMT, BYPSHAD = 1 << 6, 1 << 5
ALRAE, ALRBE, WUTE, TSE = (1 << n for n in range(8, 12))
ALRAIE, ALRBIE, WUTIE, TSIE = (1 << n for n in range(12, 16))
INIT, INITF, RSF, INITS = 1 << 7, 1 << 6, 1 << 5, 1 << 4
ALRAF, ALRBF, WUTF, TSF, TSOVF, TAMP1F = (1 << n for n in range(8, 14))
KEPT = 0x3F00  # ISR's events, which a 0 clears


@pytest.fixture
def rtc(make_soc: Callable[..., Soc]) -> Soc:
    """A chip whose RTC runs from the LSE, unlocked."""
    return running(make_soc())


def running(soc: Soc) -> Soc:
    unlock(soc)
    soc.write("RCC", "BDCR", LSE_ON)
    soc.run_until(3 * S)
    soc.write("RCC", "BDCR", LSE_RTC)
    soc.run_until(soc.now_ps + MS)
    return soc


def unlock(soc: Soc) -> None:
    soc.write("RCC", "APB1ENR", 1 << 28)
    soc.write("RCC", "APB2ENR", 1 << 14)
    soc.run_until(soc.now_ps + US)
    soc.write("PWR", "CR", DBP)
    soc.write("RTC", "WPR", 0xCA)
    soc.write("RTC", "WPR", 0x53)


def wait(soc: Soc, ps: int) -> None:
    soc.run_until(soc.now_ps + ps)


def isr(soc: Soc, mask: int = 0xFFFF_FFFF) -> int:
    return soc.read("RTC", "ISR") & mask


def set_clock(
    soc: Soc, tr: int, dr: int = 0x2101, *, prer: int | None = None, cr: int | None = None
) -> None:
    """Leaves initialization: the calendar counts four ticks later."""
    soc.write("RTC", "ISR", KEPT | INIT)
    wait(soc, MS)
    assert isr(soc, INITF)
    if prer is not None:
        soc.write("RTC", "PRER", prer & 0x7FFF)
        soc.write("RTC", "PRER", prer)
    if cr is not None:
        soc.write("RTC", "CR", cr)
    soc.write("RTC", "TR", tr)
    soc.write("RTC", "DR", dr)
    soc.write("RTC", "ISR", KEPT)


def now(soc: Soc) -> tuple[int, int]:
    """TR and DR, properly read."""
    soc.write("RTC", "ISR", KEPT)
    wait(soc, 100 * US)
    assert isr(soc, RSF)
    time = soc.read("RTC", "TR")
    return time, soc.read("RTC", "DR")


def clear(soc: Soc, flag: int) -> None:
    soc.write("RTC", "ISR", ~(flag | INIT) & 0xFFFF_FFFF)


# ---------------------------------------------------------------------- locks


def test_nothing_reaches_the_backup_domain_before_dbp(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    soc.write("RTC", "BKP0R", 1)
    soc.write("RTC", "TAFCR", 1 << 7)
    soc.write("RTC", "WPR", 0xCA)
    assert soc.read("RTC", "BKP0R") == soc.read("RTC", "TAFCR") == 0
    assert hazard_codes(soc) == ["backup-locked"] * 3


def test_the_key_guards_all_but_events_tamper_and_backup(rtc: Soc) -> None:
    rtc.write("RTC", "WPR", 0)  # a wrong key locks again
    rtc.write("RTC", "CALR", 1)
    assert rtc.read("RTC", "CALR") == 0
    rtc.write("RTC", "ISR", KEPT | INIT | RSF)
    wait(rtc, MS)
    assert not isr(rtc, INIT | INITF)
    assert len(hazard_codes(rtc)) == 2
    rtc.write("RTC", "TAFCR", 1 << 7)
    rtc.write("RTC", "BKP19R", 0xABCD)
    assert (rtc.read("RTC", "TAFCR"), rtc.read("RTC", "BKP19R")) == (1 << 7, 0xABCD)
    for keys in ((0x53,), (0xCA, 0xCB, 0x53), (0xCA, 0xCA, 0x53, 0x00)):
        for key in keys:
            rtc.write("RTC", "WPR", key)
        rtc.write("RTC", "CALR", 1)
        assert rtc.read("RTC", "CALR") == 0
    rtc.write("RTC", "WPR", 0xCA)
    rtc.write("RTC", "WPR", 0x53)
    rtc.write("RTC", "CALR", 1)
    assert rtc.read("RTC", "CALR") == 1


def test_backup_registers_need_no_clock(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    unlock(soc)
    soc.write("RTC", "BKP0R", 0x1234_5678)
    assert soc.read("RTC", "BKP0R") == 0x1234_5678
    assert hazard_codes(soc) == []


@pytest.mark.parametrize(
    ("cause", "kept"), [("SFTRSTF", True), ("PINRSTF", True), ("STANDBY", True), ("PORRSTF", False)]
)
def test_what_outlives_which_reset(rtc: Soc, cause: str, kept: bool) -> None:
    set_clock(rtc, 0x123456, 0x25_3112)
    rtc.write("RTC", "BKP3R", 77)
    rtc.write("RTC", "CALR", 5)
    wait(rtc, S + MS)
    if cause == "STANDBY":
        cast("Rcc", rtc.peripherals["RCC"]).enter_sleep(rtc.now_ps, "standby")
        rtc.enter_standby(rtc.now_ps, powered=False)
        wait(rtc, 10 * S)
    rtc.reset(rtc.now_ps, cause)
    assert rtc.read("RTC", "BKP3R") == (77 if kept else 0)
    assert rtc.read("RTC", "CALR") == (5 if kept else 0)
    assert not isr(rtc, RSF)
    assert rtc.read("RTC", "TR") == 0  # the shadow register
    assert hazard_codes(rtc) == ["rtc-shadow"]
    if kept:
        wait(rtc, 100 * US)
        assert rtc.read("RTC", "TR") == (0x123507 if cause == "STANDBY" else 0x123457)
    else:
        assert rtc.read("RCC", "BDCR") == 0


def test_bdrst_resets_the_domain_and_holds_it(rtc: Soc) -> None:
    rtc.write("RTC", "BKP0R", 7)
    rtc.write("RCC", "BDCR", 1 << 16)
    assert rtc.read("RTC", "BKP0R") == 0
    rtc.write("RTC", "BKP0R", 8)
    assert rtc.read("RTC", "BKP0R") == 0
    rtc.write("RCC", "BDCR", 0)
    rtc.write("RTC", "BKP0R", 9)
    assert rtc.read("RTC", "BKP0R") == 9
    rtc.write("RTC", "CALR", 1)  # locked again
    assert rtc.read("RTC", "CALR") == 0
    rtc.write("RCC", "BDCR", 0x0200)
    wait(rtc, MS)
    assert rtc.read("RCC", "BDCR") == 0x0200  # RTCSEL is free again


# ---------------------------------------------------------------------- calendar


def test_initialization_takes_two_ticks_and_counting_begins_four_after(rtc: Soc) -> None:
    rtc.write("RTC", "ISR", KEPT | INIT)
    assert not isr(rtc, INITF)
    wait(rtc, 62 * US)
    assert isr(rtc, INITF)
    rtc.write("RTC", "TR", 0x235959)
    rtc.write("RTC", "DR", 0x24_E229)  # Sunday
    wait(rtc, 5 * S)
    assert rtc.read("RTC", "TR") == 0x235959
    rtc.write("RTC", "ISR", KEPT)
    assert not isr(rtc, RSF)
    wait(rtc, S - 100 * US)
    assert now(rtc) == (0x235959, 0x24_E229)
    wait(rtc, 200 * US)
    assert now(rtc) == (0, 0x24_2301)  # Monday, 1 March
    assert hazard_codes(rtc) == []


def test_twelve_hours(rtc: Soc) -> None:
    set_clock(rtc, 0x515959 | 1 << 22, cr=FMT)  # 11:59:59 PM
    wait(rtc, S + MS)
    assert now(rtc) == (0x120000, 0x4102)
    wait(rtc, 3600 * S)
    assert now(rtc)[0] == 0x010000
    wait(rtc, 11 * 3600 * S)
    assert now(rtc)[0] == 0x120000 | 1 << 22


def test_what_is_no_time_is_told(rtc: Soc) -> None:
    set_clock(rtc, 0x3B)
    (hazard,) = [e for e in rtc.recorder.events if isinstance(e, Hazard) and e.severity != "note"]
    assert (hazard.code, hazard.severity) == ("rtc-no-time", "error")
    assert "the second is 0x3b" in hazard.message


def test_a_format_set_before_the_time_is_no_hazard_until_the_time_is_read(rtc: Soc) -> None:
    """ST's LL examples leave initialization mode with FMT = 1 and the TR of reset, 0 h."""
    rtc.write("RTC", "ISR", KEPT | INIT)
    wait(rtc, MS)
    rtc.write("RTC", "CR", FMT)
    rtc.write("RTC", "ISR", KEPT)
    wait(rtc, 10 * MS)
    assert hazard_codes(rtc) == []
    set_clock(rtc, 0x115900)
    wait(rtc, MS)
    assert now(rtc)[0] == 0x115900
    assert hazard_codes(rtc) == []


def test_a_time_that_nobody_set_is_told_when_it_is_read(rtc: Soc) -> None:
    rtc.write("RTC", "ISR", KEPT | INIT)
    wait(rtc, MS)
    rtc.write("RTC", "CR", FMT)
    rtc.write("RTC", "ISR", KEPT)
    wait(rtc, MS)
    now(rtc)
    assert hazard_codes(rtc) == ["rtc-no-time"]


def test_a_clock_without_a_date_counts_and_its_alarm_sees_day_0(rtc: Soc) -> None:
    """ST's millisecond of the RTC: TR = DR = 0, and an alarm on day 0 at second 1."""
    rtc.write("RTC", "ALRMAR", 1)
    set_clock(rtc, 0, 0, cr=ALRAE)
    wait(rtc, S - 200 * MS)
    assert not isr(rtc, ALRAF)
    wait(rtc, 300 * MS)
    assert isr(rtc, ALRAF)
    assert now(rtc) == (1, 0)
    assert hazard_codes(rtc) == []
    assert [e.code for e in rtc.recorder.events if isinstance(e, Hazard)] == ["rtc-undated"]


def test_what_midnight_makes_of_no_date_is_a_gap(rtc: Soc) -> None:
    set_clock(rtc, 0x235958, 0)
    wait(rtc, S)
    assert not [e for e in rtc.recorder.events if isinstance(e, Gap)]
    wait(rtc, 2 * S)
    (gap,) = [e for e in rtc.recorder.events if isinstance(e, Gap)]
    assert (gap.peripheral, gap.register) == ("RTC", "DR")
    set_clock(rtc, 0, 0x2101)  # a date again: midnight is known again
    wait(rtc, 86401 * S)
    assert now(rtc)[1] == 0x4102
    assert len([e for e in rtc.recorder.events if isinstance(e, Gap)]) == 1


def test_the_calendar_is_written_in_initialization_only(rtc: Soc) -> None:
    for register, value in (("TR", 1), ("DR", 1), ("PRER", 1), ("CALIBR", 1), ("CR", FMT)):
        rtc.write("RTC", register, value)
    assert rtc.read("RTC", "PRER") == 0x7F00FF
    assert rtc.read("RTC", "CR") == 0
    assert hazard_codes(rtc) == ["rtc-write"] * 5


def test_inits_tells_whether_a_year_was_set(rtc: Soc) -> None:
    assert not isr(rtc, INITS)
    set_clock(rtc, 0x235959, 0x99_F231)
    assert isr(rtc, INITS)
    wait(rtc, 2 * S)
    assert not isr(rtc, INITS)  # year 00


def test_months_cost_nothing(rtc: Soc) -> None:
    set_clock(rtc, 0, 0x24_2101)
    rtc.write("RTC", "ALRMAR", 1 << 31 | 0x00808080)
    asked = []
    original = rtc.scheduler.at
    rtc.scheduler.at = lambda t, call: asked.append(t) or original(t, call)  # type: ignore[method-assign]
    wait(rtc, 40 * 86400 * S + S)
    assert now(rtc)[1] == 0x24_C210  # Saturday, 10 February
    assert len(asked) < 20


def test_sub_seconds_count_down(rtc: Soc) -> None:
    set_clock(rtc, 0, prer=0x0007_0FFF)  # 8 ticks, 4096 of those
    wait(rtc, 4 * S // 32768 + S // 2 + 30 * US)
    rtc.write("RTC", "ISR", KEPT)
    wait(rtc, 100 * US)
    assert 0xFFF - rtc.read("RTC", "SSR") == 2048
    rtc.read("RTC", "DR")
    wait(rtc, 2441 * US)
    assert 0xFFF - rtc.read("RTC", "SSR") == 2058
    assert hazard_codes(rtc) == []


def test_one_write_of_the_prescalers_is_noted(rtc: Soc) -> None:
    rtc.write("RTC", "ISR", KEPT | INIT)
    wait(rtc, MS)
    rtc.write("RTC", "PRER", 0x7F00FF)
    rtc.write("RTC", "ISR", KEPT)
    notes = [e.code for e in rtc.recorder.events if isinstance(e, Hazard) and e.severity == "note"]
    assert notes.count("rtc-prescalers") == 1


@pytest.mark.parametrize(
    ("tr", "bit", "after"),
    [(0x100000, 1 << 16, 0x110001), (0x100000, 1 << 17, 0x090001), (0x000000, 1 << 17, 0x000001)],
)
def test_daylight_saving_happens_with_the_next_second(
    rtc: Soc, tr: int, bit: int, after: int
) -> None:
    set_clock(rtc, tr)
    wait(rtc, S // 2)
    rtc.write("RTC", "CR", bit)
    assert rtc.read("RTC", "CR") == 0
    assert now(rtc)[0] == tr
    wait(rtc, S // 2)
    assert now(rtc)[0] == after


def test_a_shift_delays_or_advances(rtc: Soc) -> None:
    set_clock(rtc, 0)
    wait(rtc, S // 2)
    rtc.write("RTC", "SHIFTR", 128)  # half a second back
    assert isr(rtc, 1 << 3)
    wait(rtc, MS)
    assert not isr(rtc, 1 << 3)
    wait(rtc, 900 * MS)
    assert now(rtc)[0] == 0
    wait(rtc, 100 * MS)
    assert now(rtc)[0] == 1
    rtc.write("RTC", "SHIFTR", 1 << 31 | 128)  # half a second on
    wait(rtc, 100 * US)
    assert now(rtc)[0] == 2
    wait(rtc, 1400 * MS)
    assert now(rtc)[0] == 2
    wait(rtc, 110 * MS)
    assert now(rtc)[0] == 3


def test_smooth_calibration_is_blocked_while_pending_and_then_slows_the_clock(rtc: Soc) -> None:
    set_clock(rtc, 0)
    wait(rtc, MS)
    rtc.write("RTC", "CALR", 0x1FF)
    assert isr(rtc, 1 << 16)
    rtc.write("RTC", "CALR", 0)
    assert rtc.read("RTC", "CALR") == 0x1FF
    wait(rtc, 12 * MS)
    assert not isr(rtc, 1 << 16)
    wait(rtc, 32_000 * S)  # 487.1 ppm slow: 15.59 s
    assert now(rtc)[0] == 0x085304


# ---------------------------------------------------------------------- shadow registers


def test_reading_the_time_holds_the_date_until_it_is_read(rtc: Soc) -> None:
    set_clock(rtc, 0x235959, 0x24_2312)
    wait(rtc, S // 2)
    assert rtc.read("RTC", "TR") == 0x235959
    wait(rtc, S)
    assert rtc.read("RTC", "DR") == 0x24_2312
    assert rtc.read("RTC", "DR") == 0x24_4313
    rtc.read("RTC", "SSR")
    wait(rtc, S)
    assert rtc.read("RTC", "TR") == 0
    assert rtc.read("RTC", "DR") == 0x24_4313
    assert "locks it" in hazard_messages(rtc)


def hazard_messages(soc: Soc) -> str:
    return "\n".join(e.message for e in soc.recorder.events if isinstance(e, Hazard))


def test_stop_leaves_the_shadow_registers_behind(rtc: Soc) -> None:
    set_clock(rtc, 0)
    wait(rtc, S // 2)
    rcc = cast("Rcc", rtc.peripherals["RCC"])
    rcc.enter_sleep(rtc.now_ps, "stop")
    wait(rtc, 10 * S)
    rtc.run_until(rcc.leave_sleep(rtc.now_ps))
    assert isr(rtc, RSF)
    assert rtc.read("RTC", "TR") == 0
    assert rtc.read("RTC", "DR") == 0x2101
    assert hazard_codes(rtc) == ["rtc-shadow"] * 2
    assert "right after Stop" in hazard_messages(rtc)
    wait(rtc, 100 * US)
    assert now(rtc)[0] == 0x10


def test_the_counters_themselves_can_be_read(rtc: Soc) -> None:
    set_clock(rtc, 0)
    rtc.write("RTC", "CR", BYPSHAD)
    wait(rtc, 3 * S)
    assert rtc.read("RTC", "TR") == 2  # four ticks of loading
    assert not isr(rtc, RSF)
    wait(rtc, 200 * US)
    assert rtc.read("RTC", "TR") == 3
    assert hazard_codes(rtc) == []


# ---------------------------------------------------------------------- alarms and wake-up


def lines(soc: Soc) -> int:
    """Let all internal lines pend."""
    soc.write("EXTI", "IMR", 7 << 16 | 3 << 21)
    soc.write("EXTI", "RTSR", 7 << 16 | 3 << 21)
    return soc.read("EXTI", "PR")


def test_an_alarm_raises_its_flag_and_its_line_once_until_cleared(rtc: Soc) -> None:
    lines(rtc)
    rtc.write("RTC", "ALRMAR", 1 << 31 | 1 << 23 | 1 << 15 | 0x05)  # second 5 of each minute
    set_clock(rtc, 0)
    rtc.write("RTC", "CR", ALRAE | ALRAIE)
    assert not isr(rtc, 1)
    wait(rtc, 5 * S)
    assert not isr(rtc, ALRAF)
    wait(rtc, MS)
    assert isr(rtc, ALRAF)
    assert rtc.read("EXTI", "PR") == 1 << 17
    rtc.write("EXTI", "PR", 1 << 17)
    wait(rtc, 120 * S)
    assert rtc.read("EXTI", "PR") == 0  # the flag is still set: no edge
    clear(rtc, ALRAF)
    assert not isr(rtc, ALRAF)
    wait(rtc, 60 * S)
    assert isr(rtc, ALRAF)
    assert rtc.read("EXTI", "PR") == 1 << 17
    assert hazard_codes(rtc) == []


def test_an_alarm_is_written_while_it_is_off(rtc: Soc) -> None:
    rtc.write("RTC", "CR", ALRBE)
    rtc.write("RTC", "ALRMBR", 5)
    assert rtc.read("RTC", "ALRMBR") == 0
    rtc.write("RTC", "CR", 0)
    assert not isr(rtc, 2)
    wait(rtc, 62 * US)
    assert isr(rtc, 2)
    rtc.write("RTC", "ALRMBR", 5)
    assert rtc.read("RTC", "ALRMBR") == 5
    assert hazard_codes(rtc) == ["rtc-write"]


def test_an_alarm_by_day_time_and_half_second(rtc: Soc) -> None:
    set_clock(rtc, 0x120000, 0x24_2101)  # Monday
    rtc.write("RTC", "ALRMBR", 1 << 30 | 2 << 24 | 0x06_3000)  # Tuesday 6:30:00
    rtc.write("RTC", "ALRMBSSR", 15 << 24 | 127)
    rtc.write("RTC", "CR", ALRBE)
    wait(rtc, 18 * 3600 * S + 1800 * S + S // 2)
    assert not isr(rtc, ALRBF)
    wait(rtc, MS)
    assert isr(rtc, ALRBF)


@pytest.mark.parametrize(
    ("choice", "reload", "period"),
    [(0, 2047, S), (1, 4095, S), (3, 16383, S), (2, 8191, S), (4, 0, S), (4, 59, 60 * S),
     (6, 0, 65537 * S)],
)  # fmt: skip
def test_the_wake_up_timer_goes_off_again_and_again(
    rtc: Soc, choice: int, reload: int, period: int
) -> None:
    lines(rtc)
    set_clock(rtc, 0)
    rtc.write("RTC", "WUTR", reload)
    rtc.write("RTC", "CR", choice)
    rtc.write("RTC", "CR", choice | WUTE | WUTIE)
    start = rtc.now_ps
    for n in (1, 2, 3):
        rtc.run_until(start + n * period - 100 * US)
        assert not isr(rtc, WUTF)
        rtc.run_until(start + n * period + 200 * US)
        assert isr(rtc, WUTF)
        assert rtc.read("EXTI", "PR") == 1 << 22
        clear(rtc, WUTF)
        rtc.write("EXTI", "PR", 1 << 22)
    assert hazard_codes(rtc) == []


def test_the_wake_up_timer_is_set_while_it_is_off(rtc: Soc) -> None:
    rtc.write("RTC", "CR", WUTE)
    wait(rtc, MS)
    rtc.write("RTC", "WUTR", 5)
    rtc.write("RTC", "CR", WUTE | 4)
    assert rtc.read("RTC", "WUTR") == 0xFFFF
    assert rtc.read("RTC", "CR") == WUTE
    assert hazard_codes(rtc) == ["rtc-write"] * 2


def test_the_forbidden_wake_up_is_told(rtc: Soc) -> None:
    rtc.write("RTC", "WUTR", 0)
    rtc.write("RTC", "CR", 3)
    rtc.write("RTC", "CR", 3 | WUTE)
    assert hazard_codes(rtc) == ["rtc-wakeup"]


def test_each_event_that_interrupts_is_a_wake_up_event_of_pwr(rtc: Soc) -> None:
    pwr = cast("Pwr", rtc.peripherals["PWR"])
    rtc.write("RTC", "WUTR", 0)
    rtc.write("RTC", "CR", 4)
    rtc.write("RTC", "CR", 4 | WUTE)
    wait(rtc, 2 * S)
    assert isr(rtc, WUTF)
    assert not pwr.csr.WUF
    rtc.write("RTC", "CR", 4 | WUTE | WUTIE)
    assert pwr.csr.WUF


# ---------------------------------------------------------------------- RTC_AF1 (B1 is on it)


def test_a_timestamp_is_taken_at_the_edge_and_told_a_little_later(rtc: Soc) -> None:
    lines(rtc)
    set_clock(rtc, 0x010203, 0x24_2101)
    rtc.fabric.pads["PC13"].set_resistor(rtc.now_ps, 1)
    rtc.write("RTC", "CR", TSE | TSIE | 1 << 3)  # falling edge
    wait(rtc, S // 2)
    rtc.fabric.pads["PC13"].drive_outside(rtc.now_ps, "finger", 0)
    assert not isr(rtc, TSF)
    wait(rtc, 8 * MS)
    assert isr(rtc, TSF | TSOVF) == TSF
    assert rtc.read("EXTI", "PR") == 1 << 21
    assert (rtc.read("RTC", "TSTR"), rtc.read("RTC", "TSDR")) == (0x010203, 0x2101)
    assert rtc.read("RTC", "TSSSR") == 128
    rtc.fabric.pads["PC13"].drive_outside(rtc.now_ps, "finger", None)
    wait(rtc, S)
    rtc.fabric.pads["PC13"].drive_outside(rtc.now_ps, "finger", 0)
    assert isr(rtc, TSOVF)
    assert rtc.read("RTC", "TSTR") == 0x010203
    clear(rtc, TSF | TSOVF)
    assert rtc.read("RTC", "TSTR") == 0
    assert not isr(rtc, TSF | TSOVF)


def test_a_tamper_event_erases_and_holds_the_backup_registers(rtc: Soc) -> None:
    lines(rtc)
    rtc.fabric.pads["PC13"].set_resistor(rtc.now_ps, 1)
    rtc.write("RTC", "BKP0R", 1)
    rtc.write("RTC", "TAFCR", 1 | 2 | 4 | 1 << 7)  # TAMP1E, falling, interrupt, timestamp
    assert rtc.read("RTC", "BKP0R") == 1
    rtc.fabric.pads["PC13"].drive_outside(rtc.now_ps, "finger", 0)
    assert isr(rtc, TAMP1F | TSF) == TAMP1F | TSF
    assert rtc.read("RTC", "BKP0R") == 0
    assert rtc.read("EXTI", "PR") == 1 << 21
    rtc.write("RTC", "BKP0R", 2)
    assert rtc.read("RTC", "BKP0R") == 0
    clear(rtc, TAMP1F)
    rtc.write("RTC", "BKP0R", 2)
    assert rtc.read("RTC", "BKP0R") == 2


def test_a_level_that_is_there_already_is_a_tamper_event(rtc: Soc) -> None:
    rtc.fabric.pads["PC13"].set_resistor(rtc.now_ps, 1)
    rtc.write("RTC", "BKP0R", 1)
    rtc.write("RTC", "TAFCR", 1)  # rising edge
    assert isr(rtc, TAMP1F)
    assert rtc.read("RTC", "BKP0R") == 0


@pytest.mark.parametrize(("held", "seen"), [(20 * MS, False), (40 * MS, True)])
def test_the_filter_wants_so_many_samples_in_a_row(rtc: Soc, held: int, seen: bool) -> None:
    pad = rtc.fabric.pads["PC13"]
    pad.set_resistor(rtc.now_ps, 1)
    rtc.write("RTC", "TAFCR", 1 | 7 << 8 | 2 << 11)  # low level, RTCCLK/256, four samples
    pad.drive_outside(rtc.now_ps, "finger", 0)
    wait(rtc, held)
    pad.drive_outside(rtc.now_ps, "finger", None)
    wait(rtc, S)
    assert bool(isr(rtc, TAMP1F)) == seen


def test_what_is_not_modelled_is_a_gap(rtc: Soc) -> None:
    rtc.write("RTC", "CR", 1 << 23 | 1 << 21)
    rtc.write("RTC", "TAFCR", 1 << 3)
    gaps = [e.register for e in rtc.recorder.events if isinstance(e, Gap)]
    assert gaps == ["CR.COE", "CR.OSEL", "TAFCR.TAMP2E"]


# ---------------------------------------------------------------------- its clock


def test_the_lsi_is_another_clock_and_a_system_reset_stops_it(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    unlock(soc)
    soc.write("RCC", "CSR", 1)
    soc.write("RCC", "BDCR", 0x8200)
    wait(soc, MS)
    set_clock(soc, 0)
    wait(soc, 32768 * S // 32000 + MS)
    assert now(soc)[0] == 1
    soc.reset(soc.now_ps, "SFTRSTF")
    unlock(soc)
    wait(soc, 100 * S)
    assert not isr(soc, RSF)
    soc.write("RCC", "CSR", 1)
    wait(soc, 2 * MS)
    assert now(soc)[0] == 1


def test_without_a_clock_initialization_never_begins(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    unlock(soc)
    soc.write("RTC", "ISR", KEPT | INIT)
    wait(soc, 10 * S)
    assert not isr(soc, INITF)


def test_a_debugger_may_stop_it(rtc: Soc) -> None:
    set_clock(rtc, 0)
    wait(rtc, S)
    rtc.write("DBGMCU", "APB1_FZ", 1 << 10)
    rtc.freeze(rtc.now_ps, frozen=True)
    wait(rtc, 100 * S)
    rtc.freeze(rtc.now_ps, frozen=False)
    wait(rtc, MS)
    assert now(rtc)[0] == 1
