"""The timers as the manual describes them, without a core."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.stm32.tim_v1.lines import dead_ticks
from fwgen.machine.time import NEVER
from fwgen.machine.waves import SquareWave
from tests.machine.scheduled import asked_of
from tests.machine.stm32.alone import MHZ, Requests, Wire, gaps, hazards, soc_with

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc

TICK = 62_500  # picoseconds, at 16 MHz
UP, CC, BRK, TRG = 25, 27, 24, 26  # TIM1's lines


def write(soc: Soc, timer: str, **registers: int) -> None:
    for name, value in registers.items():
        soc.write(timer, name, value)


def after(soc: Soc, ticks: int) -> None:
    soc.run_until(soc.now_ps + ticks * TICK)


# ---------------------------------------------------------------- counting


def test_the_count_starts_one_tick_after_cen() -> None:
    soc = soc_with("TIM2")
    write(soc, "TIM2", CR1=1)
    after(soc, 1)
    assert soc.read("TIM2", "CNT") == 0
    after(soc, 1)
    assert soc.read("TIM2", "CNT") == 1


def test_prescaler_and_auto_reload_make_the_update_rate() -> None:
    soc = soc_with("TIM3")
    requests = Requests(soc)
    write(soc, "TIM3", PSC=15999, ARR=9, EGR=1, SR=0, DIER=1, CR1=1)
    fired = []
    for _ in range(3):
        soc.run_until(soc.scheduler.next_ps)
        fired.append(soc.now_ps)
        write(soc, "TIM3", SR=0)
    assert fired == [TICK * (1 + 160_000 * n) for n in (1, 2, 3)]
    assert [level for _, irq, level in requests.changes if irq == 29] == [True, False] * 3


def test_an_update_interrupt_costs_one_event_and_a_free_timer_none() -> None:
    soc = soc_with("TIM3", "TIM4")
    write(soc, "TIM4", PSC=9, ARR=99, EGR=1, CR1=1)
    assert soc.scheduler.next_ps == NEVER
    write(soc, "TIM3", PSC=15, ARR=999, EGR=1, SR=0, DIER=1, CR1=1)
    asked = asked_of(soc)
    for _ in range(100):
        soc.run_until(soc.scheduler.next_ps)
        write(soc, "TIM3", SR=0)
    assert len(asked) == 100


@pytest.mark.parametrize(("timer", "top"), [("TIM2", 0xFFFF_FFFF), ("TIM3", 0xFFFF)])
def test_width_of_counter_and_auto_reload(timer: str, top: int) -> None:
    soc = soc_with(timer)
    assert soc.read(timer, "ARR") == top
    write(soc, timer, CNT=top - 1, CR1=1)
    after(soc, 3)
    assert soc.read(timer, "CNT") == 0
    assert soc.read(timer, "SR") & 1
    write(soc, timer, CNT=0x12345)
    assert soc.read(timer, "CNT") == 0x12345 & top


def test_down_counting_reloads_from_arr() -> None:
    soc = soc_with("TIM4")
    write(soc, "TIM4", ARR=5, CR1=0x10, EGR=1, SR=0)
    assert soc.read("TIM4", "CNT") == 5
    write(soc, "TIM4", CR1=0x11)
    seen = []
    after(soc, 1)
    for _ in range(8):
        seen.append(soc.read("TIM4", "CNT"))
        after(soc, 1)
    assert seen == [5, 4, 3, 2, 1, 0, 5, 4]


def test_centre_aligned_counting_turns_at_both_ends() -> None:
    soc = soc_with("TIM5")
    write(soc, "TIM5", ARR=3, CR1=0x20, EGR=1, SR=0)
    write(soc, "TIM5", CR1=0x21)
    after(soc, 1)
    seen = []
    for _ in range(9):
        seen.append((soc.read("TIM5", "CNT"), soc.read("TIM5", "CR1") >> 4 & 1))
        after(soc, 1)
    assert seen == [(0, 0), (1, 0), (2, 0), (3, 1), (2, 1), (1, 1), (0, 0), (1, 0), (2, 0)]


def test_an_arr_below_the_count_is_overrun_without_preload() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CNT=100, CR1=1)
    write(soc, "TIM3", ARR=50)
    after(soc, 1 + 0xFFFF - 100)
    assert soc.read("TIM3", "CNT") == 0xFFFF
    after(soc, 1)
    assert soc.read("TIM3", "CNT") == 0


def test_arpe_keeps_a_new_arr_until_the_update() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=9, CR1=0x80, EGR=1)
    write(soc, "TIM3", CR1=0x81, ARR=3)
    after(soc, 1 + 9)
    assert soc.read("TIM3", "CNT") == 9
    after(soc, 1 + 4)
    assert soc.read("TIM3", "CNT") == 0


def test_psc_is_always_buffered() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=3, PSC=7, CR1=1)  # no UG: the reset value 0 still divides
    after(soc, 1 + 3)
    assert soc.read("TIM3", "CNT") == 3
    after(soc, 1 + 7)
    assert soc.read("TIM3", "CNT") == 0  # the update loaded 7
    after(soc, 1)
    assert soc.read("TIM3", "CNT") == 1


def test_ug_with_urs_updates_without_a_flag_and_udis_not_at_all() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CR1=4, PSC=1, EGR=1)
    assert soc.read("TIM3", "SR") & 1 == 0
    write(soc, "TIM3", CR1=3, ARR=3)
    after(soc, 200)
    assert soc.read("TIM3", "SR") & 1 == 0
    write(soc, "TIM3", CR1=0, EGR=1)
    assert soc.read("TIM3", "SR") & 1


def test_one_pulse_mode_stops_at_the_update() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=9, CCR1=4, CCMR1=0x70, CCER=1, EGR=1, SR=0)
    wire = Wire(soc, "TIM3_CH1")
    write(soc, "TIM3", CR1=9)
    after(soc, 100)
    assert wire.edges == [(TICK * 5, 1), (TICK * 11, 0)]
    assert soc.read("TIM3", "CR1") & 1 == 0
    assert soc.read("TIM3", "CNT") == 0
    assert soc.scheduler.next_ps == NEVER


def test_repetition_counter_thins_out_updates() -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", ARR=4, RCR=2, EGR=1, SR=0, CR1=1)
    after(soc, 15)
    assert soc.read("TIM1", "SR") & 1 == 0
    after(soc, 1)
    assert soc.read("TIM1", "SR") & 1


def test_flags_are_cleared_by_zeros_only() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCR1=1, CCR2=2, EGR=0x1F)
    before = soc.read("TIM3", "SR")
    assert before & 0x1F == 0x1F
    write(soc, "TIM3", SR=~2)
    assert soc.read("TIM3", "SR") == before & ~2


def test_polling_is_told_when_the_flag_will_come() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", PSC=15, ARR=999, CCR1=500, EGR=1, SR=0, CR1=1)
    tim = soc.peripherals["TIM3"]
    value, until = tim.peek(0x10, 4, 0)
    assert (value, until) == (0, TICK * (1 + 500 * 16))
    soc.run_until(until)
    assert soc.read("TIM3", "SR") == 2


# ---------------------------------------------------------------- clock


def test_a_stopped_clock_stops_the_count_and_a_slower_one_slows_it() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CR1=1)
    after(soc, 11)
    soc.clock("TIM3").set(0, soc.now_ps)
    after(soc, 100)
    assert soc.read("TIM3", "CNT") == 10
    soc.clock("TIM3").set(8 * MHZ, soc.now_ps)
    after(soc, 20)
    assert soc.read("TIM3", "CNT") == 20


def test_an_alarm_follows_a_changed_clock() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=999, EGR=1, SR=0, DIER=1, CR1=1)
    after(soc, 1 + 500)
    soc.clock("TIM3").set(1 * MHZ, soc.now_ps)
    changed = soc.now_ps
    soc.run_until(soc.scheduler.next_ps)
    assert soc.now_ps == changed + 500 * 1_000_000
    assert soc.interrupts.level(29)


# ---------------------------------------------------------------- output compare


def test_pwm_is_one_wave_and_no_events() -> None:
    soc = soc_with("TIM2")
    write(soc, "TIM2", PSC=15, ARR=999, CCR1=250, CCMR1=0x68, CCER=1, EGR=1, CR1=1)
    soc.run_until(soc.scheduler.next_ps)
    signal = soc.fabric.output("TIM2_CH1")
    first = TICK * (1 + 250 * 16)
    assert signal.wave == SquareWave(first, 0, Fraction(750_000_000), Fraction(250_000_000))
    assert soc.scheduler.next_ps == NEVER


def test_toggle_halves_the_update_rate() -> None:
    soc = soc_with("TIM2")
    write(soc, "TIM2", PSC=15999, ARR=249, CCMR1=0x30, CCER=1, EGR=1, CR1=1)
    wire = Wire(soc, "TIM2_CH1")
    soc.run_until(10**12)
    times = [t for t, _ in wire.edges]
    assert {b - a for a, b in pairwise(times)} == {250 * 16_000 * TICK}


@pytest.mark.parametrize(
    ("ocm", "cr1", "high"),
    [
        (6, 0x01, range(4)),  # PWM 1, up: active while CNT < CCR
        (7, 0x01, range(4, 9)),
        (6, 0x11, range(5)),  # down: inactive while CNT > CCR
        (7, 0x11, range(5, 9)),
    ],
)
def test_pwm_levels_by_count(ocm: int, cr1: int, high: range) -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=8, CCR3=4, CCMR2=ocm << 4, CCER=0x100, CR1=cr1 & ~1, EGR=1)
    write(soc, "TIM3", CR1=cr1)
    for _ in range(40):
        after(soc, 1)
        level = soc.fabric.output("TIM3_CH3").level(soc.now_ps)
        assert level == (soc.read("TIM3", "CNT") in high)


@pytest.mark.parametrize(("ccr", "active"), [(0, 0), (4, 8), (7, 14), (8, 16), (12, 16)])
def test_centre_aligned_pwm_of_the_manuals_figure(ccr: int, active: int) -> None:
    """RM0368 §12.3.10, figure "Center-aligned PWM waveforms (ARR = 8)"."""
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=8, CCR1=ccr, CCMR1=0x60, CCER=1, CR1=0x60, EGR=1)
    write(soc, "TIM3", CR1=0x61)
    after(soc, 32)
    high = 0
    for _ in range(16):
        after(soc, 1)
        high += soc.fabric.output("TIM3_CH1").level(soc.now_ps) or 0
    assert high == active


def test_a_new_duty_waits_for_the_update_when_preloaded() -> None:
    soc = soc_with("TIM2")
    write(soc, "TIM2", ARR=99, CCR1=20, CCMR1=0x68, CCER=1, EGR=1, CR1=1)
    wire = Wire(soc, "TIM2_CH1")
    after(soc, 1 + 150)
    write(soc, "TIM2", CCR1=70)
    after(soc, 200)
    lengths = [b[0] - a[0] for a, b in pairwise(wire.edges)]
    assert [n // TICK for n in lengths] == [80, 20, 80, 70, 30]


def test_an_output_that_is_off_drives_nothing_and_polarity_inverts() -> None:
    soc = soc_with("TIM3")
    signal = soc.fabric.output("TIM3_CH2")
    write(soc, "TIM3", CCMR1=0x5000)  # force active
    assert signal.level(0) is None
    write(soc, "TIM3", CCER=0x10)
    assert signal.level(0) == 1
    write(soc, "TIM3", CCER=0x30)
    assert signal.level(0) == 0
    write(soc, "TIM3", CCMR1=0x4000)  # force inactive
    assert signal.level(0) == 1


def test_active_and_inactive_on_match_latch() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=19, CCR1=5, CCR2=7, CCMR1=0x2010, CCER=0x11, EGR=1, CR1=1)
    one, two = (soc.fabric.output(f"TIM3_CH{n}") for n in (1, 2))
    assert (one.level(0), two.level(0)) == (0, 0)
    after(soc, 1 + 5)
    assert one.level(soc.now_ps) == 1
    after(soc, 100)
    assert (one.level(soc.now_ps), two.level(soc.now_ps)) == (1, 0)
    assert soc.scheduler.next_ps == NEVER


def test_direction_of_a_channel_is_locked_while_it_is_on() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCER=1, CCMR1=0x61)
    assert soc.read("TIM3", "CCMR1") == 0x60
    assert hazards(soc, "timer-direction")


# ---------------------------------------------------------------- TIM1's outputs


def test_the_main_output_enable_gates_tim1() -> None:
    soc = soc_with("TIM1")
    main, complement = soc.fabric.output("TIM1_CH1"), soc.fabric.output("TIM1_CH1N")
    write(soc, "TIM1", CCMR1=0x50, CCER=5)
    assert (main.level(0), complement.level(0)) == (None, None)
    write(soc, "TIM1", BDTR=0x8000)
    assert (main.level(0), complement.level(0)) == (1, 0)
    write(soc, "TIM1", CCER=4)  # alone, the complement follows OCxREF
    assert (main.level(0), complement.level(0)) == (None, 1)
    write(soc, "TIM1", BDTR=0x8800)  # OSSR: the other is held inactive
    assert (main.level(0), complement.level(0)) == (0, 1)
    write(soc, "TIM1", CR2=0x100, BDTR=0x0400)  # OSSI: idle levels
    assert (main.level(0), complement.level(0)) == (1, 0)


def test_the_break_input_takes_the_outputs_away() -> None:
    soc = soc_with("TIM1")
    requests = Requests(soc)
    bkin = soc.fabric.input("TIM1_BKIN")
    bkin.drive(0, 0)
    write(soc, "TIM1", CCMR1=0x50, CCER=1, DIER=0x80, BDTR=0xB000)
    assert soc.fabric.output("TIM1_CH1").level(0) == 1
    after(soc, 5)
    bkin.drive(soc.now_ps, 1)
    assert soc.fabric.output("TIM1_CH1").level(soc.now_ps) is None
    assert soc.read("TIM1", "BDTR") & 0x8000 == 0
    assert (soc.now_ps, BRK, True) in requests.changes
    write(soc, "TIM1", BDTR=0xB000)  # still broken
    assert soc.read("TIM1", "BDTR") & 0x8000 == 0


def test_automatic_output_enable_waits_for_the_update() -> None:
    soc = soc_with("TIM1")
    bkin = soc.fabric.input("TIM1_BKIN")
    bkin.drive(0, 1)
    write(soc, "TIM1", ARR=9, CCMR1=0x50, CCER=1, BDTR=0x7000, CR1=1)  # AOE, BKP, BKE
    after(soc, 100)
    assert soc.read("TIM1", "SR") & 0x80
    assert soc.fabric.output("TIM1_CH1").level(soc.now_ps) is None
    bkin.drive(soc.now_ps, 0)
    wire = Wire(soc, "TIM1_CH1")
    after(soc, 100)
    assert wire.edges == [(TICK * 101, 1)]
    assert soc.read("TIM1", "BDTR") & 0x8000


def test_alignment_must_not_change_while_counting() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CR1=0x20)
    write(soc, "TIM3", CR1=0x21)
    write(soc, "TIM3", CR1=0x01)
    assert not hazards(soc, "timer-mode")
    write(soc, "TIM3", CR1=0x41)
    assert hazards(soc, "timer-mode")


def test_tim1_has_a_line_for_each_kind_of_request() -> None:
    soc = soc_with("TIM1")
    requests = Requests(soc)
    write(soc, "TIM1", DIER=0xDF, EGR=0x01)
    write(soc, "TIM1", SR=0)
    write(soc, "TIM1", EGR=0x02)
    write(soc, "TIM1", SR=0)
    write(soc, "TIM1", EGR=0x40)
    write(soc, "TIM1", SR=0)
    write(soc, "TIM1", EGR=0x80)
    raised = [irq for _, irq, level in requests.changes if level]
    # UG returns the count to 0, where all four comparators stand after reset.
    assert raised == [UP, CC, CC, TRG, BRK]


@pytest.mark.parametrize(
    ("dtg", "ckd", "ticks"),
    [(0, 0, 0), (127, 0, 127), (0x80, 0, 128), (0xBF, 1, 508), (0xC0, 0, 256), (0xE1, 2, 2112)],
)
def test_dead_time_generator_setup(dtg: int, ckd: int, ticks: int) -> None:
    assert dead_ticks(dtg, ckd) == ticks


@settings(max_examples=40, deadline=None)
@given(
    dtg=st.integers(1, 25),
    arr=st.integers(3, 40),
    duties=st.lists(st.tuples(st.integers(0, 45), st.integers(1, 130)), min_size=1, max_size=5),
    polarity=st.sampled_from([0x5, 0x7, 0xD, 0xF]),
    preload=st.booleans(),
    centre=st.booleans(),
)
def test_dead_time_delays_active_edges_and_never_lets_both_be_active(
    dtg: int, arr: int, duties: list[tuple[int, int]], polarity: int, preload: bool, centre: bool
) -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", ARR=arr, CCMR1=0x68 if preload else 0x60, CCER=polarity)
    write(soc, "TIM1", CR1=0x60 if centre else 0, BDTR=0x8000 | dtg, EGR=1)
    write(soc, "TIM1", CR1=0x61 if centre else 1)
    main, complement = soc.fabric.output("TIM1_CH1"), soc.fabric.output("TIM1_CH1N")
    counter = soc.peripherals["TIM1"]._counter
    steady, was = dtg, 0  # OCxREF was low for long
    for ccr, ticks in duties:
        write(soc, "TIM1", CCR1=ccr)
        for _ in range(ticks):
            reference = counter.reference(0)
            steady = steady + 1 if reference == was else 0
            was = reference
            late = steady >= dtg
            on = (main.level(soc.now_ps) or 0) ^ (polarity >> 1 & 1)
            on_n = (complement.level(soc.now_ps) or 0) ^ (polarity >> 3 & 1)
            assert (on, on_n) == (reference and late, (not reference) and late)
            after(soc, 1)
            soc.read("TIM1", "CNT")  # bring the reference up to now


def test_pwm_with_dead_time_is_two_waves_and_no_events() -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", ARR=99, CCR1=40, CCMR1=0x68, CCER=5, BDTR=0x800A, EGR=1, CR1=1)
    after(soc, 300)
    main, complement = (soc.fabric.output(f"TIM1_CH1{n}").wave for n in ("", "N"))
    assert main is not None
    assert complement is not None
    assert {main.first_ps, main.second_ps} == {30 * TICK, 70 * TICK}
    assert {complement.first_ps, complement.second_ps} == {50 * TICK}
    assert soc.scheduler.next_ps == NEVER


# ---------------------------------------------------------------- input capture


def pulse(soc: Soc, name: str, ticks: int) -> None:
    line = soc.fabric.input(name)
    line.drive(soc.now_ps, 1)
    after(soc, ticks)
    line.drive(soc.now_ps, 0)


def test_capture_takes_the_count_and_reading_clears_the_flag() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x01, CCER=1, DIER=2, CR1=1)
    after(soc, 101)
    pulse(soc, "TIM3_CH1", 10)
    assert soc.interrupts.level(29)
    assert soc.read("TIM3", "SR") & 2
    assert soc.read("TIM3", "CCR1") == 100
    assert soc.read("TIM3", "SR") & 2 == 0
    assert not soc.interrupts.level(29)


def test_a_second_capture_before_the_first_is_read_is_an_overcapture() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x01, CCER=1, CR1=1)
    after(soc, 11)
    pulse(soc, "TIM3_CH1", 5)
    pulse(soc, "TIM3_CH1", 5)
    assert soc.read("TIM3", "SR") & 0x202 == 0x202
    assert soc.read("TIM3", "CCR1") == 15


@pytest.mark.parametrize(("ccer", "captures"), [(0x1, [10]), (0x3, [17]), (0xB, [10, 17])])
def test_polarity_selects_the_edges_of_capture(ccer: int, captures: list[int]) -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x01, CCER=ccer, CR1=1)
    got = []
    after(soc, 11)
    line = soc.fabric.input("TIM3_CH1")
    for level, wait in ((1, 7), (0, 7)):
        line.drive(soc.now_ps, level)
        if soc.read("TIM3", "SR") & 2:
            got.append(soc.read("TIM3", "CCR1"))
        after(soc, wait)
    assert got == captures


def test_capture_prescaler_counts_edges() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x09, CCER=1, CR1=1)  # every 4th
    for n in range(4):
        assert soc.read("TIM3", "SR") & 2 == 0, n
        pulse(soc, "TIM3_CH1", 3)
    assert soc.read("TIM3", "SR") & 2


def test_the_input_filter_swallows_what_is_too_short() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x31, CCER=1, CR1=1)  # 8 samples at the kernel clock
    after(soc, 11)
    pulse(soc, "TIM3_CH1", 7)
    after(soc, 20)
    assert soc.read("TIM3", "SR") & 2 == 0
    at = soc.read("TIM3", "CNT")
    pulse(soc, "TIM3_CH1", 20)
    assert soc.read("TIM3", "CCR1") == at + 8


def test_both_channels_capture_one_input_and_measure_a_pwm() -> None:
    """PWM input mode, §13.3.6: TI1 resets the counter; CCR1 is the period, CCR2 the pulse."""
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x0201, CCER=0x31, SMCR=0x54, CR1=1)
    line = soc.fabric.input("TIM3_CH1")
    line.drive_wave(SquareWave(1000 * TICK, 1, Fraction(30 * TICK), Fraction(70 * TICK)))
    soc.run_until(1290 * TICK)
    assert (soc.read("TIM3", "CCR1"), soc.read("TIM3", "CCR2")) == (100, 30)


@pytest.mark.parametrize(("arr", "ccr"), [(1000, 321), (6, 3)])
def test_a_wave_between_picoseconds_is_captured_without_jitter(arr: int, ccr: int) -> None:
    soc = soc_with("TIM3", "TIM4", hz=84 * MHZ)
    line = soc.fabric.input("TIM4_CH1")
    soc.fabric.output("TIM3_CH1").listen(lambda t, level: line.drive(t, level))
    write(soc, "TIM4", CCMR1=0x0201, CCER=0x31, SMCR=0x54, CR1=1)
    write(soc, "TIM3", ARR=arr, CCR1=ccr, CCMR1=0x68, CCER=1, EGR=1, CR1=1)
    soc.run_until(30 * (arr + 1) * 10**12 // (84 * MHZ))
    seen = set()
    for _ in range(50):
        soc.run_until(soc.now_ps + (arr + 1) * 10**12 // (84 * MHZ))
        seen.add((soc.read("TIM4", "CCR1"), soc.read("TIM4", "CCR2")))
    assert seen == {(arr + 1, ccr)}


# ---------------------------------------------------------------- slaves and masters


def test_reset_mode_starts_the_count_again() -> None:
    soc = soc_with("TIM4")
    write(soc, "TIM4", CCMR1=0x01, SMCR=0x54, CR1=1)
    after(soc, 100)
    pulse(soc, "TIM4_CH1", 5)
    assert soc.read("TIM4", "CNT") == 5
    assert soc.read("TIM4", "SR") & 0x41 == 0x41  # TIF, UIF


def test_gated_mode_counts_while_the_trigger_is_high() -> None:
    soc = soc_with("TIM4")
    write(soc, "TIM4", CCMR1=0x01, SMCR=0x55, CR1=1)
    after(soc, 50)
    assert soc.read("TIM4", "CNT") == 0
    pulse(soc, "TIM4_CH1", 40)
    after(soc, 50)
    assert soc.read("TIM4", "CNT") == 40


def test_trigger_mode_starts_the_counter() -> None:
    soc = soc_with("TIM4")
    write(soc, "TIM4", CCMR1=0x0100, SMCR=0x66)
    after(soc, 50)
    assert soc.read("TIM4", "CR1") & 1 == 0
    pulse(soc, "TIM4_CH2", 11)
    assert soc.read("TIM4", "CR1") & 1 == 1
    assert soc.read("TIM4", "CNT") == 10


def test_external_clock_mode_1_counts_edges() -> None:
    soc = soc_with("TIM4")
    write(soc, "TIM4", CCMR1=0x0100, SMCR=0x67, CR1=1)
    for _ in range(7):
        pulse(soc, "TIM4_CH2", 3)
    assert soc.read("TIM4", "CNT") == 7
    write(soc, "TIM4", SMCR=0x47, CCMR1=0x0001)  # TI1F_ED: both edges
    for _ in range(3):
        pulse(soc, "TIM4_CH1", 3)
    assert soc.read("TIM4", "CNT") == 13


def test_external_clock_mode_2_counts_etr_after_its_prescaler() -> None:
    soc = soc_with("TIM2")
    write(soc, "TIM2", SMCR=0x5000, CR1=1)  # ECE, ETPS = 2
    for _ in range(8):
        pulse(soc, "TIM2_ETR", 3)
    assert soc.read("TIM2", "CNT") == 4


def test_a_master_clocks_a_slave_with_its_updates() -> None:
    soc = soc_with("TIM2", "TIM3")
    write(soc, "TIM3", ARR=9, CR2=0x20, EGR=1, CR1=1)
    write(soc, "TIM2", SMCR=0x27, CR1=1)  # ITR2 of TIM2 is TIM3
    after(soc, 1 + 10 * 25)
    assert soc.read("TIM2", "CNT") == 25


def test_a_master_starts_and_gates_its_slaves() -> None:
    soc = soc_with("TIM1", "TIM2", "TIM3")
    write(soc, "TIM2", SMCR=0x06)  # started by TIM1
    write(soc, "TIM3", SMCR=0x05, CR1=1)  # gated by TIM1
    write(soc, "TIM1", CR2=0x10)  # TRGO: enable
    after(soc, 30)
    assert soc.read("TIM2", "CR1") & 1 == 0
    write(soc, "TIM1", CR1=1)
    after(soc, 20)
    write(soc, "TIM1", CR1=0)
    after(soc, 30)
    assert soc.read("TIM2", "CNT") == 49
    assert soc.read("TIM3", "CNT") == 20


def test_a_reference_can_gate_a_slave() -> None:
    soc = soc_with("TIM2", "TIM3")
    write(soc, "TIM2", ARR=99, CCR1=25, CCMR1=0x60, CR2=0x40, EGR=1)
    write(soc, "TIM3", SMCR=0x15, CR1=1)  # ITR1 of TIM3 is TIM2
    write(soc, "TIM2", CR1=1)
    after(soc, 1 + 1000)
    # High from the start (CNT = 0 < 25), one tick longer the first time.
    assert soc.read("TIM3", "CNT") == 10 * 25


def test_two_timers_that_reset_each_other_come_to_rest() -> None:
    soc = soc_with("TIM2", "TIM3")
    write(soc, "TIM3", SMCR=0x14, CR1=1)
    write(soc, "TIM2", SMCR=0x24, CR1=1)
    after(soc, 50)
    write(soc, "TIM2", EGR=1)
    assert soc.read("TIM3", "CNT") == 0


def test_a_trigger_that_the_chip_does_not_wire_is_a_gap() -> None:
    soc = soc_with("TIM2")
    write(soc, "TIM2", SMCR=0x14)  # ITR1 of TIM2 comes from outside the timers
    assert gaps(soc) == ["TIM2.SMCR.TS = ITR1"]


@pytest.mark.parametrize(("sms", "steps"), [(1, 2), (2, 2), (3, 4)])
def test_encoder_modes_count_quadrature_both_ways(sms: int, steps: int) -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x0101, SMCR=sms, CNT=1000, CR1=1)
    one, two = (soc.fabric.input(f"TIM3_CH{n}") for n in (1, 2))

    def turn(first: object, second: object, times: int) -> None:
        for _ in range(times):
            for line, level in ((first, 1), (second, 1), (first, 0), (second, 0)):
                line.drive(soc.now_ps, level)  # type: ignore[attr-defined]
                after(soc, 3)

    turn(one, two, 5)
    assert soc.read("TIM3", "CNT") == 1000 + 5 * steps
    assert soc.read("TIM3", "CR1") & 0x10 == 0
    turn(two, one, 7)
    assert soc.read("TIM3", "CNT") == 1000 - 2 * steps
    assert soc.read("TIM3", "CR1") & 0x10


def test_hall_inputs_are_xored_onto_ti1() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CR2=0x80, CCMR1=0x01, CCER=0x0B, CR1=1)
    captured = 0
    for line in ("TIM3_CH1", "TIM3_CH2", "TIM3_CH3"):
        after(soc, 10)
        soc.fabric.input(line).drive(soc.now_ps, 1)
        captured += soc.read("TIM3", "SR") >> 1 & 1
        soc.read("TIM3", "CCR1")
    assert captured == 3


# ---------------------------------------------------------------- instances, gaps, reset


def test_small_timers_lack_what_they_lack() -> None:
    soc = soc_with("TIM10", "TIM9", "TIM3")
    write(soc, "TIM10", CR1=0x70)
    assert soc.read("TIM10", "CR1") == 0
    assert soc.read("TIM10", "SMCR") == 0
    write(soc, "TIM9", CCER=0xFFFF)
    assert soc.read("TIM9", "CCER") == 0xBB
    write(soc, "TIM3", BDTR=0x8000)
    assert soc.read("TIM3", "BDTR") == 0
    assert any("TIM3 has no BDTR" in h.message for h in hazards(soc, "reserved-bits"))
    assert gaps(soc) == []


def test_reset_stops_everything() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=9, CCR1=4, CCMR1=0x60, CCER=1, DIER=1, EGR=1, CR1=1)
    after(soc, 100)
    assert soc.interrupts.level(29)
    soc.reset(soc.now_ps, "SFTRSTF")
    assert not soc.interrupts.level(29)
    assert soc.fabric.output("TIM3_CH1").level(soc.now_ps) is None
    after(soc, 100)
    assert (soc.read("TIM3", "CNT"), soc.read("TIM3", "SR")) == (0, 0)
    assert soc.scheduler.next_ps == NEVER
