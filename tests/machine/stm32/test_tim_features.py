"""What timers do besides counting: locks, commutation, OCxREF from outside, remaps, chains."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.machine.soc import Soc
from fwgen.machine.stm32.tim_v1.outputs import Idle, stages
from fwgen.machine.stm32.tim_v1.timer import Tim
from fwgen.machine.waves import SquareWave
from tests.machine.stm32.alone import MHZ, US, Wire, gaps, hazards, soc_with
from tests.machine.stm32.test_tim import TICK, TRG, Requests, after, pulse, write

if TYPE_CHECKING:
    from collections.abc import Callable

MOE, OSSI, OSSR, BKE, BKP, AOE = 0x8000, 0x400, 0x800, 0x1000, 0x2000, 0x4000
COMIF, TIF, BIF = 0x20, 0x40, 0x80


def level(soc: Soc, name: str) -> int | None:
    return soc.fabric.output(name).level(soc.now_ps)


# ---------------------------------------------------------------- BDTR.LOCK

# By level: (register, value written, what is left of it), from all zeros, channel 1 an output and
# channel 2 an input. RM0368 §12.4.18.
LOCKED = {
    0: {"BDTR": 0x7CFF, "CR2": 0x7F00, "CCER": 0x00AA, "CCMR1": 0x0078},
    1: {"BDTR": 0x0C00, "CR2": 0x0000, "CCER": 0x00AA, "CCMR1": 0x0078},
    2: {"BDTR": 0x0000, "CR2": 0x0000, "CCER": 0x00A0, "CCMR1": 0x0078},
    3: {"BDTR": 0x0000, "CR2": 0x0000, "CCER": 0x00A0, "CCMR1": 0x0000},
}
WRITTEN = {"BDTR": 0x7CFF, "CR2": 0x7F00, "CCER": 0x00AA, "CCMR1": 0x0178}


@pytest.mark.parametrize("lock", LOCKED)
@pytest.mark.parametrize("register", WRITTEN)
def test_each_lock_level_protects_its_bits(lock: int, register: str) -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", CCMR1=0x0100, BDTR=lock << 8)
    write(soc, "TIM1", **{register: WRITTEN[register]})
    left = LOCKED[lock][register] | {"BDTR": lock << 8, "CCMR1": 0x0100}.get(register, 0)
    assert soc.read("TIM1", register) == left
    assert bool(hazards(soc, "timer-locked")) == (left & 0x7CFF != WRITTEN[register] & 0x7CFF)


def test_lock_is_written_once_and_until_reset() -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", BDTR=0x0155)  # its own bits come with it
    assert soc.read("TIM1", "BDTR") == 0x0155
    write(soc, "TIM1", BDTR=0x0355)
    assert soc.read("TIM1", "BDTR") == 0x0155
    write(soc, "TIM1", BDTR=0x8155)
    assert soc.read("TIM1", "BDTR") == 0x8155  # MOE is never locked
    soc.reset(soc.now_ps, "SFTRSTF")
    write(soc, "TIM1", BDTR=0x0300)
    assert soc.read("TIM1", "BDTR") == 0x0300


def test_a_first_write_without_lock_freezes_it_at_zero() -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", BDTR=0)
    write(soc, "TIM1", BDTR=0x0100)
    assert soc.read("TIM1", "BDTR") == 0
    assert hazards(soc, "timer-locked")


def test_a_locked_pwm_can_still_be_steered() -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", ARR=9, CCR1=3, CCMR1=0x60, CCER=1, BDTR=MOE | 0x300, EGR=1, CR1=1)
    wire = Wire(soc, "TIM1_CH1")
    write(soc, "TIM1", CCR1=7)
    after(soc, 31)
    assert len(wire.edges) >= 5
    assert not hazards(soc, "timer-locked")


# ---------------------------------------------------------------- outputs and break


@pytest.mark.parametrize("moe", [False, True])
@pytest.mark.parametrize("ossi", [False, True])
@pytest.mark.parametrize("ossr", [False, True])
@pytest.mark.parametrize("enables", [0, 1, 4, 5])
@pytest.mark.parametrize("polarity", [0, 2, 8, 10])
def test_output_control_bits_table(
    moe: bool, ossi: bool, ossr: bool, enables: int, polarity: int
) -> None:
    """RM0368 §12.4.9, row by row: "Output control bits for complementary OCx and OCxN"."""
    ccxp, ccxnp = int(bool(polarity & 2)), int(bool(polarity & 8))
    off = (False, None)
    ois, ois_n = ccxp, ccxnp ^ 1  # only OCxN active
    got = stages(enables | polarity, Idle(moe, ossi, ossr, ois, ois_n), has_n=True)
    if enables == 0 or (not moe and not ossi):
        assert got == (off, off)
    elif not moe:
        assert got == ((False, ois), (False, ois_n))
    else:
        held = (False, ccxp) if ossr else off
        held_n = (False, ccxnp) if ossr else off
        assert (
            got
            == {
                1: ((True, ccxp), held_n),
                4: (held, (True, ccxnp)),
                5: ((True, ccxp), (True, ccxnp ^ 1)),
            }[enables]
        )


def broken(bdtr: int, cr2: int = 0, ccer: int = 5) -> Soc:
    soc = soc_with("TIM1")
    soc.fabric.input("TIM1_BKIN").drive(0, 0)
    write(soc, "TIM1", CR2=cr2, ARR=9, CCR1=5, CCMR1=0x60, CCER=ccer)
    write(soc, "TIM1", BDTR=MOE | BKE | BKP | bdtr, EGR=1, SR=0, CR1=1)
    after(soc, 50)
    return soc


def test_idle_levels_come_a_dead_time_after_the_break() -> None:
    soc = broken(OSSI | 20, cr2=0x100)
    soc.fabric.input("TIM1_BKIN").drive(soc.now_ps, 1)
    at = soc.now_ps
    assert (level(soc, "TIM1_CH1"), level(soc, "TIM1_CH1N")) == (0, 0)  # both inactive at once
    wire = Wire(soc, "TIM1_CH1")
    after(soc, 40)
    assert wire.edges == [(at + 20 * TICK, 1)]
    assert level(soc, "TIM1_CH1N") == 0


def test_idle_levels_that_would_make_both_active_do_not_come() -> None:
    soc = broken(OSSI, cr2=0x300)
    soc.fabric.input("TIM1_BKIN").drive(soc.now_ps, 1)
    after(soc, 40)
    assert (level(soc, "TIM1_CH1"), level(soc, "TIM1_CH1N")) == (0, 0)
    assert hazards(soc, "timer-idle")


def test_without_ossi_a_break_lets_the_pins_go() -> None:
    soc = broken(20, cr2=0x100)
    soc.fabric.input("TIM1_BKIN").drive(soc.now_ps, 1)
    after(soc, 40)
    assert (level(soc, "TIM1_CH1"), level(soc, "TIM1_CH1N")) == (None, None)


def test_bif_stays_while_the_break_input_is_active() -> None:
    soc = broken(OSSI)
    line = soc.fabric.input("TIM1_BKIN")
    line.drive(soc.now_ps, 1)
    write(soc, "TIM1", SR=0)
    assert soc.read("TIM1", "SR") & BIF
    line.drive(soc.now_ps, 0)
    write(soc, "TIM1", SR=0)
    assert not soc.read("TIM1", "SR") & BIF


def test_bg_breaks_by_software_and_clearing_moe_idles_without_a_flag() -> None:
    soc = broken(OSSI | 20, cr2=0x100)
    write(soc, "TIM1", BDTR=BKE | BKP | OSSI | 20)
    assert level(soc, "TIM1_CH1") == 0
    after(soc, 20)
    assert level(soc, "TIM1_CH1") == 1
    assert not soc.read("TIM1", "SR") & BIF
    write(soc, "TIM1", EGR=0x80)
    assert soc.read("TIM1", "SR") & BIF


def test_a_failed_crystal_breaks_the_outputs(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    soc.write("RCC", "CR", soc.read("RCC", "CR") | 1 << 18 | 1 << 16 | 1 << 19)  # bypass, HSE, CSS
    soc.write("RCC", "APB2ENR", 1)
    soc.run_until(10**10)
    write(soc, "TIM1", CCMR1=0x50, CCER=1)
    soc.fabric.input("TIM1_BKIN").drive(soc.now_ps, 0)
    write(soc, "TIM1", BDTR=MOE | BKE | BKP)
    assert level(soc, "TIM1_CH1") == 1
    soc.peripherals["RCC"].fail_hse(soc.now_ps)  # type: ignore[attr-defined]
    assert level(soc, "TIM1_CH1") is None
    assert soc.read("TIM1", "SR") & BIF


# ---------------------------------------------------------------- commutation


def test_preloaded_bits_wait_for_the_commutation() -> None:
    """RM0368 §12.3.14, 6-step PWM generation."""
    soc = soc_with("TIM1")
    write(soc, "TIM1", CR2=1, CCMR1=0x50, CCER=1, BDTR=MOE)
    assert level(soc, "TIM1_CH1") is None
    assert soc.read("TIM1", "CCER") == 1  # the preload register reads back
    write(soc, "TIM1", EGR=0x20)
    assert level(soc, "TIM1_CH1") == 1
    assert soc.read("TIM1", "SR") & COMIF
    write(soc, "TIM1", CCMR1=0x40, CCER=4)
    assert (level(soc, "TIM1_CH1"), level(soc, "TIM1_CH1N")) == (1, None)
    write(soc, "TIM1", EGR=0x20)
    assert (level(soc, "TIM1_CH1"), level(soc, "TIM1_CH1N")) == (None, 0)


def test_polarity_and_the_fourth_channel_are_not_preloaded() -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", CCMR1=0x50, CCMR2=0x5000, CCER=1, BDTR=MOE, CR2=1)
    write(soc, "TIM1", CCER=0x1003)
    assert (level(soc, "TIM1_CH1"), level(soc, "TIM1_CH4")) == (0, 1)


def test_clearing_ccpc_lets_what_waited_act() -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", CR2=1, CCMR1=0x50, CCER=1, BDTR=MOE)
    write(soc, "TIM1", CR2=0)
    assert level(soc, "TIM1_CH1") == 1


@pytest.mark.parametrize(("cr2", "commuted"), [(1, False), (5, True)])
def test_a_trigger_commutes_with_ccus(cr2: int, commuted: bool) -> None:
    soc = soc_with("TIM1", "TIM2")
    requests = Requests(soc)
    write(soc, "TIM2", CR2=0x20)  # TRGO: update
    write(soc, "TIM1", CR2=cr2, SMCR=0x10, CCMR1=0x50, CCER=1, BDTR=MOE, DIER=0x20)
    after(soc, 10)
    write(soc, "TIM2", EGR=1)
    assert (level(soc, "TIM1_CH1") == 1) == commuted
    assert bool(soc.read("TIM1", "SR") & COMIF) == commuted
    assert soc.read("TIM1", "SR") & TIF == 0  # the slave mode controller is off
    assert ([irq for _, irq, on in requests.changes if on] == [TRG]) == commuted


def test_a_hall_sensor_drives_six_step_commutation() -> None:
    """§12.3.18: TIM3 times the sensor and triggers TIM1 when its delay is over."""
    soc = soc_with("TIM1", "TIM3")
    write(soc, "TIM3", CR2=0xD0, ARR=0xFFFF, CCR2=25)  # TI1S, TRGO: OC2REF
    write(soc, "TIM3", CCMR1=0x7003, CCER=0x1, SMCR=0x44, CR1=1)  # CC1 from TRC, reset by TI1F_ED
    write(soc, "TIM1", CR2=5, SMCR=0x20, BDTR=MOE, CCMR1=0x5050)
    halls = [soc.fabric.input(f"TIM3_CH{n}") for n in (1, 2, 3)]
    for n, hall in enumerate((*halls, *halls)):
        at = TICK * 200 * (n + 1)
        soc.run_until(at)
        hall.drive(at, int(n < 3))
        if n:
            assert soc.read("TIM3", "CCR1") == 200, "the time between two edges"
        write(soc, "TIM1", SR=0, CCER=0x10 if n % 2 else 0x01)
        wire = Wire(soc, "TIM1_CH2" if n % 2 else "TIM1_CH1")
        soc.run_until(at + 50 * TICK)
        assert soc.read("TIM1", "SR") & COMIF
        assert wire.edges == [(at + 25 * TICK, 1)]


# ---------------------------------------------------------------- OCxCE and OCxFE


def test_etrf_clears_ocxref_until_the_update() -> None:
    """RM0368 §12.3.13, figure "Clearing TIMx OCxREF"."""
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=99, CCR1=80, CCR2=80, CCMR1=0x60E0, CCER=0x11, EGR=1, CR1=1)
    start = TICK
    etr = soc.fabric.input("TIM3_ETR")
    one, other = Wire(soc, "TIM3_CH1"), Wire(soc, "TIM3_CH2")
    soc.run_until(start + 30 * TICK)
    etr.drive(soc.now_ps, 1)
    soc.run_until(start + 40 * TICK)
    etr.drive(soc.now_ps, 0)
    soc.run_until(start + 190 * TICK)
    assert one.edges == [(start + 30 * TICK, 0), (start + 100 * TICK, 1), (start + 180 * TICK, 0)]
    assert other.edges == [
        (start + 80 * TICK, 0), (start + 100 * TICK, 1), (start + 180 * TICK, 0)
    ]  # fmt: skip


def test_an_etrf_that_stays_high_outlasts_updates() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=99, CCR1=80, CCMR1=0xE0, CCER=1, EGR=1, CR1=1)
    etr, wire = soc.fabric.input("TIM3_ETR"), Wire(soc, "TIM3_CH1")
    etr.drive(soc.now_ps, 1)
    soc.run_until(TICK * (1 + 350))
    etr.drive(soc.now_ps, 0)
    soc.run_until(TICK * (1 + 410))
    assert [e for e in wire.edges if e[0]] == [(TICK * 401, 1)]


def test_forced_modes_do_not_hear_etrf() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0xD0, CCER=1)
    soc.fabric.input("TIM3_ETR").drive(soc.now_ps, 1)
    assert level(soc, "TIM3_CH1") == 1


def test_a_cleared_toggle_begins_again_low() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=9, CCR1=5, CCMR1=0xB0, CCER=1, EGR=1, CR1=1)
    soc.run_until(TICK * (1 + 7))
    assert level(soc, "TIM3_CH1") == 1
    soc.fabric.input("TIM3_ETR").drive(soc.now_ps, 1)
    assert level(soc, "TIM3_CH1") == 0
    soc.run_until(TICK * (1 + 37))
    assert level(soc, "TIM3_CH1") == 0
    soc.fabric.input("TIM3_ETR").drive(soc.now_ps, 0)
    wire = Wire(soc, "TIM3_CH1")
    soc.run_until(TICK * (1 + 60))
    assert wire.edges == [(TICK * 46, 1), (TICK * 56, 0)]


@pytest.mark.parametrize("smcr", [0x1000, 0x4000])
def test_clearing_with_a_prescaled_or_counting_etr_is_told(smcr: int) -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", SMCR=smcr, CCMR1=0xE0)
    assert hazards(soc, "timer-clear")


def test_fast_enable_starts_a_pulse_with_its_trigger() -> None:
    """One pulse, PWM 2: normally after CCR1; with OC1FE from the edge on. §12.3.15."""
    edges = {}
    for fast in (0, 4):
        soc = soc_with("TIM4")
        write(soc, "TIM4", ARR=29, CCR1=10, CCMR1=0x0170 | fast, CCER=1, CR1=8, SMCR=0x66)
        wire = Wire(soc, "TIM4_CH1")
        after(soc, 50)
        pulse(soc, "TIM4_CH2", 3)
        after(soc, 100)
        edges[fast] = [(t // TICK - 50, lv) for t, lv in wire.edges]
        assert not gaps(soc)
    assert edges == {0: [(11, 1), (31, 0)], 4: [(0, 1), (31, 0)]}


def test_fast_enable_in_another_slave_mode_is_a_gap() -> None:
    soc = soc_with("TIM4")
    write(soc, "TIM4", CCMR1=0x0174, SMCR=0x64)
    assert gaps(soc) == ["TIM4.CCMR1.OC1FE"]


# ---------------------------------------------------------------- one pulse, chains, encoders


def test_a_trigger_makes_one_pulse_of_delay_and_length() -> None:
    """§13.3.10: TI2 starts it; OC1 rises after CCR1 and falls at the update."""
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=49, CCR1=20, CCMR1=0x0170, CCER=1, SMCR=0x66, CR1=8)
    wire = Wire(soc, "TIM3_CH1")
    for _ in range(2):
        after(soc, 100)
        pulse(soc, "TIM3_CH2", 5)
    after(soc, 100)
    starts = [100, 205]
    assert [t // TICK for t, _ in wire.edges] == [s + n for s in starts for n in (21, 51)]


def test_two_timers_start_together_on_one_trigger() -> None:
    """§13.3.15, starting two timers synchronously: TIM3 is slave of TI1 and master of TIM2."""
    soc = soc_with("TIM2", "TIM3")
    write(soc, "TIM3", CR2=0x10, SMCR=0xD6, CCMR1=1)  # TRGO: enable; MSM, TI1FP1, trigger mode
    write(soc, "TIM2", SMCR=0x26)  # ITR2: TIM3
    after(soc, 20)
    pulse(soc, "TIM3_CH1", 5)
    after(soc, 30)
    assert soc.read("TIM2", "CNT") == soc.read("TIM3", "CNT") == 34


def test_one_timer_prescales_another_to_sixty_four_bits() -> None:
    soc = soc_with("TIM2", "TIM3", "TIM4")
    write(soc, "TIM3", ARR=9, CR2=0x20, CR1=1)
    write(soc, "TIM2", ARR=4, SMCR=0x27, CR2=0x20, CR1=1)
    write(soc, "TIM4", SMCR=0x17, CR1=1)  # ITR1 of TIM4 is TIM2
    soc.run_until(TICK * (1 + 10 * 5 * 7 + 23))
    assert (soc.read("TIM4", "CNT"), soc.read("TIM2", "CNT"), soc.read("TIM3", "CNT")) == (7, 2, 3)


def test_an_encoder_wraps_at_arr_and_flags_it() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=7, CCMR1=0x0101, SMCR=3, CNT=6, EGR=0, CR1=1)
    lines = [soc.fabric.input(f"TIM3_CH{n}") for n in (1, 2)]
    for line, lv in ((lines[0], 1), (lines[1], 1)):
        line.drive(soc.now_ps, lv)
        after(soc, 3)
    assert soc.read("TIM3", "CNT") == 0
    assert soc.read("TIM3", "SR") & 1


@pytest.mark.parametrize("inverted", [0x2, 0x20])
def test_an_inverted_encoder_input_turns_the_direction(inverted: int) -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x0101, SMCR=3, CCER=inverted, CNT=100, CR1=1)
    lines = [soc.fabric.input(f"TIM3_CH{n}") for n in (1, 2)]
    for n in range(8):
        lines[n % 2].drive(soc.now_ps, n // 2 % 2 ^ 1)
        after(soc, 3)
    assert soc.read("TIM3", "CNT") == 92


def test_an_encoder_that_jitters_on_one_edge_stays_where_it_is() -> None:
    """§13.3.12, figure: back and forth over one sensor position counts up and down."""
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x0101, SMCR=3, CNT=50, CR1=1)
    line, seen = soc.fabric.input("TIM3_CH1"), []
    for n in range(6):
        line.drive(soc.now_ps, (n + 1) & 1)
        after(soc, 2)
        seen.append(soc.read("TIM3", "CNT"))
    assert seen == [51, 50, 51, 50, 51, 50]


def test_the_input_filter_keeps_spikes_from_an_encoder() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x3131, SMCR=3, CNT=50, CR1=1)
    pulse(soc, "TIM3_CH1", 7)
    after(soc, 50)
    assert soc.read("TIM3", "CNT") == 50
    soc.fabric.input("TIM3_CH1").drive(soc.now_ps, 1)
    after(soc, 20)
    assert soc.read("TIM3", "CNT") == 51


def test_the_small_timers_have_no_encoder() -> None:
    soc = soc_with("TIM9")
    write(soc, "TIM9", SMCR=3, CR1=1)
    after(soc, 11)
    assert soc.read("TIM9", "CNT") == 10
    assert hazards(soc, "timer-slave-mode")


def test_the_capture_prescaler_starts_again_when_the_channel_is_switched_off() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", CCMR1=0x05, CCER=1, CR1=1)  # every 2nd edge
    pulse(soc, "TIM3_CH1", 3)
    write(soc, "TIM3", CCER=0)
    write(soc, "TIM3", CCER=1)
    pulse(soc, "TIM3_CH1", 3)
    assert soc.read("TIM3", "SR") & 2 == 0
    pulse(soc, "TIM3_CH1", 3)
    assert soc.read("TIM3", "SR") & 2


@pytest.mark.parametrize(
    ("cms", "flags"), [(1, [False, True]), (2, [True, False]), (3, [True] * 2)]
)
def test_centre_aligned_modes_flag_on_the_way_they_name(cms: int, flags: list[bool]) -> None:
    """§12.4.1, CMS: 1 flags counting down, 2 counting up, 3 both."""
    soc = soc_with("TIM3")
    write(soc, "TIM3", ARR=20, CCR1=8, CCMR1=0x60, CR1=cms << 5, EGR=1)
    write(soc, "TIM3", SR=0, CR1=cms << 5 | 1)
    got = []
    for ticks in (1 + 19, 20):  # up past 8, down past 8
        after(soc, ticks)
        got.append(bool(soc.read("TIM3", "SR") & 2))
        write(soc, "TIM3", SR=0)
    assert got == flags


def test_the_repetition_counter_counts_overflows_and_underflows_when_centred() -> None:
    soc = soc_with("TIM1")
    write(soc, "TIM1", ARR=10, RCR=1, CR1=0x20, EGR=1)
    write(soc, "TIM1", SR=0, CR1=0x21)
    after(soc, 1 + 19)
    assert not soc.read("TIM1", "SR") & 1
    after(soc, 1)
    assert soc.read("TIM1", "SR") & 1


# ---------------------------------------------------------------- OR


def measured(soc: Soc, timer: str, channel: int) -> int:
    """Ticks between two captures."""
    stamps = []
    for _ in range(2):
        soc.read(timer, f"CCR{channel}")
        while not soc.read(timer, "SR") & 1 << channel:
            soc.run_until(soc.now_ps + 5 * TICK)
        stamps.append(soc.read(timer, f"CCR{channel}"))
    return stamps[1] - stamps[0]


@pytest.mark.parametrize(("choice", "hz"), [(1, 32_000), (2, 32_768)])
def test_tim5_measures_the_slow_clocks(choice: int, hz: int) -> None:
    soc = soc_with("TIM5")
    soc.clock({1: "LSI", 2: "LSE"}[choice]).set(hz, 0)
    write(soc, "TIM5", OR=choice << 6, CCMR2=0x0D00, CCER=0x1000, CR1=1)  # every 8th edge
    assert soc.read("TIM5", "OR") == choice << 6
    assert measured(soc, "TIM5", 4) in (8 * 16 * MHZ // hz, 8 * 16 * MHZ // hz + 1)


def test_tim5_goes_back_to_its_pin() -> None:
    soc = soc_with("TIM5")
    soc.clock("LSI").set(32_000, 0)
    write(soc, "TIM5", OR=0x40, CCMR2=0x0100, CCER=0x1000, CR1=1)
    write(soc, "TIM5", OR=0, SR=0)
    after(soc, 5000)
    assert not soc.read("TIM5", "SR") & 0x10
    pulse(soc, "TIM5_CH4", 3)
    assert soc.read("TIM5", "SR") & 0x10


def test_tim11_measures_the_divided_crystal(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    soc.write("RCC", "CR", soc.read("RCC", "CR") | 1 << 18 | 1 << 16)
    soc.write("RCC", "CFGR", 8 << 16)  # RTCPRE: HSE / 8 = 1 MHz
    soc.write("RCC", "APB2ENR", 1 << 18)
    soc.run_until(10**10)
    write(soc, "TIM11", OR=2, CCMR1=0x0D, CCER=1, CR1=1)
    assert measured(soc, "TIM11", 1) == 8 * 16


def test_the_rtc_wakes_tim5(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    soc.write("RCC", "APB1ENR", 1 << 3)
    soc.run_until(US)
    write(soc, "TIM5", OR=0xC0, CCMR2=0x0100, CCER=0x1000, CR1=1)
    soc.fabric.output("RTC_WAKEUP").drive(soc.now_ps, 1)
    assert soc.read("TIM5", "SR") & 0x10


def test_a_timer_without_remap_has_no_or() -> None:
    soc = soc_with("TIM3")
    write(soc, "TIM3", OR=3)
    assert soc.read("TIM3", "OR") == 0
    assert "TIM3 has no OR" in hazards(soc, "reserved-bits")[0].message


def test_tim2_triggered_by_usb_is_a_gap() -> None:
    soc = soc_with("TIM2")
    write(soc, "TIM2", OR=0x800)
    assert not gaps(soc)
    write(soc, "TIM2", SMCR=0x14)
    assert gaps(soc) == ["TIM2.SMCR.TS = ITR1"]


# ---------------------------------------------------------------- the STM32F407's


def discovery(**enables: int) -> Soc:
    soc = Soc(load_board("stm32f4-discovery"))
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    for register, bits in enables.items():
        soc.write("RCC", register, bits)
    soc.run_until(US)
    return soc


@pytest.mark.parametrize(("timer", "bit", "irq"), [("TIM6", 4, 54), ("TIM7", 5, 55)])
def test_basic_timers_count_and_interrupt(timer: str, bit: int, irq: int) -> None:
    soc = discovery(APB1ENR=1 << bit)
    requests = Requests(soc)
    write(soc, timer, PSC=15, ARR=99, EGR=1, SR=0, DIER=1, CR1=0x381)
    assert soc.read(timer, "CR1") == 0x81  # no CKD
    start = soc.now_ps
    soc.run_until(start + 150 * US)
    assert requests.changes == [(start + TICK * (1 + 1600), irq, True)]
    write(soc, timer, CCMR1=0x60, CR2=0xFF)
    assert soc.read(timer, "CCMR1") == 0
    assert soc.read(timer, "CR2") == 0x70  # MMS only
    assert not gaps(soc)


def test_tim8_is_an_advanced_timer_with_its_own_lines() -> None:
    soc = discovery(APB2ENR=2)
    requests = Requests(soc)
    soc.fabric.input("TIM8_BKIN").drive(soc.now_ps, 0)
    write(soc, "TIM8", ARR=9, CCR1=4, CCMR1=0x60, CCER=5, BDTR=MOE | BKE | BKP, DIER=0x80)
    write(soc, "TIM8", CR1=1)
    assert (level(soc, "TIM8_CH1"), level(soc, "TIM8_CH1N")) == (1, 0)
    soc.fabric.input("TIM8_BKIN").drive(soc.now_ps, 1)
    assert (level(soc, "TIM8_CH1"), level(soc, "TIM8_CH1N")) == (None, None)
    assert [irq for _, irq, _ in requests.changes] == [43]


def test_tim12_is_clocked_by_the_output_of_tim13() -> None:
    soc = discovery(APB1ENR=1 << 6 | 1 << 7)
    write(soc, "TIM13", ARR=9, CCR1=5, CCMR1=0x60, EGR=1)
    write(soc, "TIM12", SMCR=0x27, CR1=1)  # ITR2 of TIM12 is TIM13's OC
    write(soc, "TIM13", CR1=1)
    start = soc.now_ps
    soc.run_until(start + TICK * (1 + 10 * 12))
    assert soc.read("TIM12", "CNT") == 12


@pytest.mark.parametrize(("timer", "bit", "irq"), [("TIM13", 7, 44), ("TIM14", 8, 45)])
def test_timers_of_one_channel_capture_and_make_pwm(timer: str, bit: int, irq: int) -> None:
    soc = discovery(APB1ENR=1 << bit)
    write(soc, timer, CR1=0x78)
    assert soc.read(timer, "CR1") == 0  # no one-pulse mode, no directions
    write(soc, timer, ARR=9, CCR1=3, CCMR1=0x60, CCER=1, EGR=1, CR1=1)
    wire, start = Wire(soc, f"{timer}_CH1"), soc.now_ps
    soc.run_until(start + 30 * TICK)
    assert [(t - start) // TICK for t, _ in wire.edges][:3] == [4, 11, 14]
    write(soc, timer, CCER=0)
    write(soc, timer, CCMR1=1, CCER=1, DIER=2, SR=0)
    pulse(soc, f"{timer}_CH1", 3)
    assert soc.interrupts.level(irq)


# ---------------------------------------------------------------- laziness

VALUE = st.one_of(st.integers(0, 12), st.integers(0, 60))
WRITE = st.one_of(
    st.tuples(
        st.just("CR1"),
        st.sampled_from([0x01, 0x81, 0x09, 0x11, 0x21, 0x61, 0x00, 0x101, 0x05]),
    ),
    st.tuples(st.just("CR2"), st.sampled_from([0, 1, 5, 0x100, 0x200, 0x105, 0x80, 0xF01])),
    st.tuples(
        st.just("SMCR"),
        st.sampled_from([0, 0x74, 0x75, 0x76, 0x77, 0x54, 0x66, 0x4000, 0x8000, 0x45, 3, 1, 0x174]),
    ),
    st.tuples(
        st.just("CCMR1"),
        st.builds(
            lambda a, b: a | b << 8,
            st.sampled_from([0x60, 0x68, 0x70, 0x30, 0xE0, 0xF8, 0xB0, 0x90, 0x74, 0x01, 0x31]),
            st.sampled_from([0x60, 0xE0, 0x70, 0xB8, 0x50, 0x02, 0x01]),
        ),
    ),
    st.tuples(st.just("CCER"), st.sampled_from([0x11, 0x55, 0x5F, 0x05, 0x15, 0x51, 0x1B, 0])),
    st.tuples(
        st.just("BDTR"),
        st.sampled_from(
            [
                *(MOE, MOE | 3, MOE | OSSI | 6, OSSI | OSSR | 4, MOE | BKE | BKP | OSSI | 5),
                *(AOE | BKE | BKP | OSSR, MOE | OSSR | 0x102),
            ]
        ),
    ),
    st.tuples(st.just("EGR"), st.sampled_from([1, 0x20, 0x40, 0x80, 0x21, 0x02])),
    st.tuples(st.sampled_from(["ARR", "CCR1", "CCR2", "CNT"]), VALUE),
    st.tuples(st.sampled_from(["PSC", "RCR"]), st.integers(0, 3)),
    st.tuples(st.just("DIER"), st.sampled_from([0, 1, 2, 0x60, 0x80])),
    st.tuples(st.just("SR"), st.just(0)),
)
EDGE = st.tuples(
    st.sampled_from(["ETR", "ETR", "BKIN", "BKIN", "CH1", "CH2", "CH3"]), st.integers(0, 1)
)
BEGIN = st.fixed_dictionaries(  # something is going on from the start
    {
        "ARR": st.integers(5, 30),
        "CCR1": st.integers(1, 25),
        "CCR2": st.integers(1, 25),
        "CCMR1": st.sampled_from([0xE0E0, 0x60B0, 0xF830, 0xE074, 0x6060]),
        "CR2": st.sampled_from([0, 0x100, 0xA00, 5]),
        "SMCR": st.sampled_from([0, 0, 0, 0x76, 0x75]),
        "CCER": st.sampled_from([0x55, 0x11, 0x1F]),
        "BDTR": st.sampled_from([MOE | BKE | BKP | OSSI | 5, MOE | 3, MOE, AOE | MOE | BKE | BKP]),
        "CR1": st.sampled_from([1, 1, 0x81, 0x61, 9]),
    }
)
PROGRAM = st.lists(
    st.tuples(st.integers(0, 40), st.one_of(EDGE, EDGE, WRITE)), min_size=2, max_size=16
)


@settings(max_examples=250, deadline=None)
@given(begin=BEGIN, program=PROGRAM, listens=st.booleans())
@example(  # cleared by a pulse on ETR, and let go by an update that nobody asked for
    begin={"ARR": 20, "CCR1": 10, "CCMR1": 0xE0E0, "CCER": 0x55, "BDTR": MOE, "CR1": 1},
    program=[(4, ("ETR", 1)), (3, ("ETR", 0)), (30, ("CH3", 0))],
    listens=True,
)
def test_a_timer_left_alone_equals_one_that_is_watched_each_tick(
    begin: dict[str, int], program: list[tuple[int, tuple[str, int]]], listens: bool
) -> None:
    """Break, commutation, clearing, triggers and captures: jumps change nothing of them."""
    names = [f"TIM1_CH{n}" for n in ("1", "2", "1N", "2N")]
    lazy, watched = soc_with("TIM1"), soc_with("TIM1")
    timer = watched.peripherals["TIM1"]
    assert isinstance(timer, Tim)
    wires = [Wire(watched, name) for name in names]
    lazy_wires = [Wire(lazy, name) for name in names] if listens else []
    for soc in (lazy, watched):
        soc.fabric.input("TIM1_BKIN").drive(0, 0)
        write(soc, "TIM1", **begin)
    tick = 0
    for wait, (what, value) in [*program, (90, ("SR", 0))]:
        for _ in range(wait):
            tick += 1
            watched.run_until(tick * TICK)
            timer.slave_listens(tick * TICK, 0)  # looks at everything anew
        lazy.run_until(tick * TICK)
        for name in names:
            got = (lazy.fabric.output(name).level(tick * TICK), level(watched, name))
            assert got[0] == got[1], (tick, name)
        for one_wire, other_wire in zip(lazy_wires, wires, strict=False):
            assert one_wire.edges == other_wire.edges
        for soc in (lazy, watched):
            if what in ("ETR", "BKIN", "CH1", "CH2", "CH3"):
                soc.fabric.input(f"TIM1_{what}").drive(tick * TICK, value)
            else:
                soc.write("TIM1", what, value)
        for register in ("CNT", "SR", "CR1", "BDTR"):
            assert lazy.read("TIM1", register) == watched.read("TIM1", register), (tick, register)
        one, other = (s.peripherals["TIM1"].states["CCR1"].value for s in (lazy, watched))
        assert one == other
        for irq in (24, 25, 26, 27):
            assert lazy.interrupts.level(irq) == watched.interrupts.level(irq)


def test_pwm_input_of_a_fast_wave_costs_no_accuracy() -> None:
    soc = soc_with("TIM3", hz=84 * MHZ)
    write(soc, "TIM3", CCMR1=0x0201, CCER=0x31, SMCR=0x54, CR1=1)
    tick = Fraction(10**12, 84 * MHZ)
    wave = SquareWave(1000, 1, 30 * tick, 70 * tick)
    soc.fabric.input("TIM3_CH1").drive_wave(wave)
    soc.run_until(100 * US)
    assert (soc.read("TIM3", "CCR1"), soc.read("TIM3", "CCR2")) == (100, 30)
