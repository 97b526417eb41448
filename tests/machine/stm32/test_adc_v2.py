"""The converter as the manual describes it, without a core."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.stm32.adc_v2.conversion import aligned, most_ohm, quantised
from fwgen.trace import Voltage
from tests.machine.scheduled import asked_of
from tests.machine.stm32.alone import MHZ, US, Requests, gaps, hazards, soc_with

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc

NAMES = ("ADC1", "ADC1_COMMON", "GPIOA", "GPIOB")
ADON, CONT, DMA, DDS, EOCS, ALIGN, JSW, SW = (1 << n for n in (0, 1, 8, 9, 10, 11, 22, 30))
AWD, EOC, JEOC, JSTRT, STRT, OVR = (1 << n for n in range(6))
SCAN, AWDSGL, JAUTO, DISCEN, JDISCEN = (1 << n for n in (8, 9, 10, 11, 12))
EOCIE, AWDIE, JEOCIE, OVRIE, JAWDEN, AWDEN = (1 << n for n in (5, 6, 7, 26, 22, 23))
CYCLE = Fraction(10**12, 8 * MHZ)  # PCLK2 at 16 MHz, through 2
CONVERSION = 15 * 125_000  # picoseconds: 3 + 12 cycles at 8 MHz


def converter(*more: str, hz: int = 16 * MHZ, analog: str = "PA0 PA1 PA4 PA5 PA6 PA7 PB0") -> Soc:
    """Switched on and stable, its pins in analog mode."""
    soc = soc_with(*NAMES, *more, hz=hz)
    for name in analog.split():
        port = f"GPIO{name[1]}"
        soc.write(port, "MODER", soc.read(port, "MODER") | 3 << 2 * int(name[2:]))
    soc.write("ADC1", "CR2", ADON)
    soc.run_until(10 * US)
    return soc


def hold(soc: Soc, pin: str, uv: int | None, **shape: int) -> None:
    shape.setdefault("to_uv", uv or 0)
    soc.fabric.pads[pin].set_voltage(soc.now_ps, Voltage(soc.now_ps, pin, uv, **shape))


def wait(soc: Soc, ps: int) -> None:
    soc.run_until(soc.now_ps + ps)


def convert(soc: Soc, cr2: int = ADON | SW) -> int:
    soc.write("ADC1", "CR2", cr2)
    wait(soc, 100 * US)
    assert soc.read("ADC1", "SR") & EOC
    return soc.read("ADC1", "DR")


# ---------------------------------------------------------------------------- one conversion


@pytest.mark.parametrize(
    ("uv", "code"),
    [(0, 0), (402, 0), (403, 1), (1_650_000, 2048), (825_000, 1024), (3_300_000, 4095)],
)
def test_a_voltage_becomes_the_code_nearest_to_it(uv: int, code: int) -> None:
    soc = converter()
    hold(soc, "PA0", uv)
    assert convert(soc) == code
    assert hazards(soc) == []


@given(uv=st.integers(0, 3_300_000), bits=st.sampled_from([6, 8, 10, 12]))
def test_a_code_is_within_half_a_step_of_its_voltage(uv: int, bits: int) -> None:
    step = Fraction(3_300_000, 1 << bits)
    code = quantised(uv, 3_300_000, bits)
    assert abs(code * step - uv) <= step / 2 or code == (1 << bits) - 1


@pytest.mark.parametrize(("res", "cycles"), [(0, 15), (1, 13), (2, 11), (3, 9)])
def test_a_conversion_takes_its_sampling_and_a_cycle_a_bit(res: int, cycles: int) -> None:
    soc = converter()
    hold(soc, "PA0", 3_300_000)
    soc.write("ADC1", "CR1", res << 24)
    start = soc.now_ps
    soc.write("ADC1", "CR2", ADON | SW)
    end = int((10 * US // 125_000 + 1 + cycles) * CYCLE)  # from the next edge of ADCCLK on
    assert end > start
    soc.run_until(end - 1)
    assert soc.read("ADC1", "SR") == STRT
    soc.run_until(end)
    assert soc.read("ADC1", "SR") == STRT | EOC
    assert soc.read("ADC1", "DR") == (1 << (12, 10, 8, 6)[res]) - 1


@pytest.mark.parametrize(("smp", "cycles"), list(enumerate([3, 15, 28, 56, 84, 112, 144, 480])))
def test_sampling_time_by_channel_and_prescaler(smp: int, cycles: int) -> None:
    soc = converter()
    hold(soc, "PA4", 1_000_000)
    soc.write("ADC1", "SQR3", 4)
    soc.write("ADC1", "SMPR2", smp << 12)
    soc.write("ADC1_COMMON", "CCR", 1 << 16)  # through 4
    soc.write("ADC1", "CR2", ADON | SW)
    soc.run_until(10 * US + (1 + cycles + 12) * 250_000 - 1)
    assert not soc.read("ADC1", "SR") & EOC
    soc.run_until(10 * US + (1 + cycles + 12) * 250_000)
    assert soc.read("ADC1", "SR") & EOC
    assert soc.read("ADC1_COMMON", "CSR") == soc.read("ADC1", "SR")


def test_what_is_converted_is_the_voltage_at_the_end_of_the_sampling() -> None:
    soc = converter()
    hold(soc, "PA0", 0)
    soc.write("ADC1", "SMPR2", 7)  # 480 cycles: 60 µs
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 60 * US)
    hold(soc, "PA0", 1_650_000)
    wait(soc, US)
    hold(soc, "PA0", 3_300_000)
    wait(soc, 10 * US)
    assert soc.read("ADC1", "DR") == 2048


def test_reading_the_data_clears_eoc_and_so_does_writing_a_zero() -> None:
    soc = converter()
    hold(soc, "PA0", 1_000_000)
    convert(soc)
    assert soc.read("ADC1", "SR") == STRT
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 10 * US)
    soc.write("ADC1", "SR", ~EOC & 0x3F)
    assert soc.read("ADC1", "SR") == STRT


@pytest.mark.parametrize("res", range(4))
@pytest.mark.parametrize("injected", [False, True])
def test_alignment(res: int, injected: bool) -> None:
    bits = (12, 10, 8, 6)[res]
    low = -(1 << bits) + 1 if injected else 0
    for value in (low, low // 2, 0, 1, (1 << bits) - 1):
        right = aligned(value, bits, left=False, injected=injected)
        assert (right ^ 0x8000) - 0x8000 == value
        left = aligned(value, bits, left=True, injected=injected)
        room = (8 if bits == 6 else 16) - bits - injected
        assert left & ((1 << room) - 1) == 0
        assert ((left ^ 0x8000) - 0x8000) >> room == value or not injected
        assert injected or left >> room == value


def test_left_aligned_data_in_the_register() -> None:
    soc = converter()
    hold(soc, "PA0", 1_650_000)
    assert convert(soc, ADON | SW | ALIGN) == 0x8000


# ---------------------------------------------------------------------------- groups


def group(soc: Soc, *channels: int) -> None:
    registers = [0, 0, 0]
    for rank, channel in enumerate(channels):
        registers[rank // 6] |= channel << 5 * (rank % 6)
    soc.write("ADC1", "SQR3", registers[0])
    soc.write("ADC1", "SQR2", registers[1])
    soc.write("ADC1", "SQR1", registers[2] | len(channels) - 1 << 20)


def injected(soc: Soc, *channels: int) -> None:
    value = len(channels) - 1 << 20
    for rank, channel in enumerate(channels):
        value |= channel << 5 * (4 - len(channels) + rank)
    soc.write("ADC1", "JSQR", value)


def ladder(soc: Soc) -> None:
    """Each channel at a hundred codes per number."""
    for pin, channel in (("PA0", 0), ("PA1", 1), ("PA4", 4), ("PA5", 5), ("PA6", 6), ("PA7", 7)):
        hold(soc, pin, 3_300_000 * (100 * channel + 50) // 4096)


def test_scan_converts_the_sequence_and_eoc_comes_by_eocs() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 4, 1, 7)
    soc.write("ADC1", "CR1", SCAN)
    soc.write("ADC1", "CR2", ADON | SW | EOCS)
    found = []
    for _ in range(3):
        while not soc.read("ADC1", "SR") & EOC:
            wait(soc, 125_000)
        found.append(soc.read("ADC1", "DR"))
    assert found == [450, 150, 750]
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 2 * CONVERSION + 250_000)
    assert not soc.read("ADC1", "SR") & EOC  # only at the end of the group
    wait(soc, CONVERSION)
    assert soc.read("ADC1", "SR") & EOC
    assert soc.read("ADC1", "DR") == 750


def test_without_scan_only_the_first_channel_is_converted() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 4, 1, 7)
    assert convert(soc) == 450
    wait(soc, 100 * US)
    assert soc.read("ADC1", "SR") == STRT


def test_discontinuous_mode_goes_on_part_by_part() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 0, 1, 4, 5, 6)
    soc.write("ADC1", "CR1", SCAN | DISCEN | 1 << 13)
    parts = []
    for _ in range(4):
        part = []
        soc.write("ADC1", "CR2", ADON | SW | EOCS)
        for _ in range(40):
            wait(soc, 125_000)
            if soc.read("ADC1", "SR") & EOC:
                part.append(soc.read("ADC1", "DR"))
        parts.append(part)
    assert parts == [[50, 150], [450, 550], [650], [50, 150]]  # the last part is no longer
    assert gaps(soc) == []


def test_when_eoc_of_a_part_comes_is_not_known_without_eocs() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 0, 1, 4)
    soc.write("ADC1", "CR1", SCAN | DISCEN)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 10 * US)
    assert gaps(soc) == ["ADC1.CR1.DISCEN"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_injected_sequence_ends_with_jsq4(count: int) -> None:
    soc = converter()
    ladder(soc)
    injected(soc, *(1, 4, 5, 6)[:count])
    soc.write("ADC1", "CR1", SCAN)
    soc.write("ADC1", "JOFR1", 200)
    soc.write("ADC1", "JOFR2", 50)
    soc.write("ADC1", "CR2", ADON | JSW)
    wait(soc, count * CONVERSION)
    assert not soc.read("ADC1", "SR") & JEOC
    wait(soc, 250_000)
    assert soc.read("ADC1", "SR") == JEOC | JSTRT
    found = [soc.read("ADC1", f"JDR{n}") for n in (1, 2, 3, 4)]
    assert found == [0xFFCE, *(400, 550, 650)[: count - 1], *([0] * (4 - count))]
    assert soc.read("ADC1", "SR") & JEOC  # reading does not clear it


def test_injected_discontinuous_converts_one_channel_a_start() -> None:
    soc = converter()
    ladder(soc)
    injected(soc, 1, 4)
    soc.write("ADC1", "CR1", SCAN | JDISCEN)
    soc.write("ADC1", "CR2", ADON | JSW)
    wait(soc, 10 * US)
    assert (soc.read("ADC1", "JDR1"), soc.read("ADC1", "JDR2")) == (150, 0)
    assert not soc.read("ADC1", "SR") & JEOC
    soc.write("ADC1", "CR2", ADON | JSW)
    wait(soc, 10 * US)
    assert soc.read("ADC1", "JDR2") == 450
    assert soc.read("ADC1", "SR") & JEOC


def test_an_injected_group_interrupts_and_the_regular_conversion_begins_again() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 5)
    injected(soc, 1)
    start = soc.now_ps
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 8 * 125_000)
    soc.write("ADC1", "CR2", ADON | JSW)
    done: dict[int, int] = {}
    while not done.get(EOC):
        wait(soc, 125_000)
        for flag in (EOC, JEOC):
            if soc.read("ADC1", "SR") & flag:
                done.setdefault(flag, soc.now_ps - start)
    assert done == {JEOC: (9 + 15) * 125_000, EOC: (9 + 15 + 15) * 125_000}
    assert (soc.read("ADC1", "DR"), soc.read("ADC1", "JDR1")) == (550, 150)


def test_a_regular_start_waits_for_the_injected_group() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 5)
    injected(soc, 1)
    soc.write("ADC1", "CR2", ADON | JSW)
    wait(soc, 250_000)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 29 * 125_000 - 250_000)
    assert soc.read("ADC1", "SR") & (EOC | JEOC) == JEOC
    wait(soc, 250_000)
    assert soc.read("ADC1", "SR") & EOC


def test_jauto_converts_the_injected_group_after_the_regular_one_round_after_round() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 5)
    injected(soc, 1)
    soc.write("ADC1", "CR1", JAUTO)
    soc.write("ADC1", "CR2", ADON | SW | CONT)
    wait(soc, 31 * 125_000)
    assert soc.read("ADC1", "SR") & (EOC | JEOC) == EOC | JEOC
    hold(soc, "PA1", 0)
    wait(soc, 10 * 1000 * US)
    assert soc.read("ADC1", "JDR1") == 0
    assert soc.read("ADC1", "DR") == 550


def test_a_new_sequence_starts_the_group_anew() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 5)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 10 * 125_000)
    soc.write("ADC1", "SQR3", 1)
    wait(soc, 10 * 125_000)
    assert not soc.read("ADC1", "SR") & EOC
    wait(soc, 10 * 125_000)
    assert soc.read("ADC1", "DR") == 150


# ---------------------------------------------------------------------------- rounds and overruns


def test_continuous_conversion_follows_its_input_and_costs_no_events() -> None:
    soc = converter()
    hold(soc, "PA0", 1_000_000)
    soc.write("ADC1", "CR2", ADON | SW | CONT)
    wait(soc, 20 * US)
    asked = asked_of(soc)
    wait(soc, 10**12)
    assert soc.read("ADC1", "DR") == quantised(1_000_000, 3_300_000, 12)
    assert len(asked) < 3
    hold(soc, "PA0", 2_000_000)
    wait(soc, 2 * CONVERSION)
    assert soc.read("ADC1", "DR") == quantised(2_000_000, 3_300_000, 12)


def test_continuous_conversion_stops_after_the_round_when_cont_is_cleared() -> None:
    soc = converter()
    hold(soc, "PA0", 1_000_000)
    soc.write("ADC1", "CR2", ADON | SW | CONT)
    wait(soc, 1000 * US)
    soc.write("ADC1", "CR2", ADON)
    wait(soc, 2 * CONVERSION)
    soc.read("ADC1", "DR")
    wait(soc, 1000 * US)
    assert not soc.read("ADC1", "SR") & EOC


def test_a_result_that_nobody_reads_is_an_overrun_with_eocs() -> None:
    soc = converter()
    hold(soc, "PA0", 1_000_000)
    requests = Requests(soc)
    soc.write("ADC1", "CR1", OVRIE)
    soc.write("ADC1", "CR2", ADON | SW | CONT | EOCS)
    wait(soc, CONVERSION + 250_000)
    hold(soc, "PA0", 3_000_000)
    wait(soc, 100 * US)
    assert soc.read("ADC1", "SR") & OVR
    assert [(irq, level) for _, irq, level in requests.changes] == [(18, True)]
    assert requests.changes[0][0] == 10 * US + 31 * 125_000
    assert soc.read("ADC1", "DR") == quantised(1_000_000, 3_300_000, 12)
    soc.write("ADC1", "CR2", ADON | SW | EOCS)  # ignored until OVR is cleared
    wait(soc, 100 * US)
    assert not soc.read("ADC1", "SR") & EOC
    soc.write("ADC1", "SR", 0)
    assert convert(soc, ADON | SW | EOCS) == quantised(3_000_000, 3_300_000, 12)


def test_without_eocs_and_dma_old_results_are_overwritten() -> None:
    soc = converter()
    hold(soc, "PA0", 1_000_000)
    soc.write("ADC1", "CR2", ADON | SW | CONT)
    wait(soc, 100 * US)
    assert soc.read("ADC1", "SR") == STRT | EOC


@pytest.mark.parametrize("dds", [0, DDS])
def test_the_dma_is_asked_for_each_result_until_the_last_transfer(dds: int) -> None:
    from fwgen.machine.memory import MemoryMap

    soc = converter("DMA2")
    soc.memory = MemoryMap(soc.chip)
    ladder(soc)
    group(soc, 1, 4, 5)
    soc.write("DMA2", "S0PAR", 0x4001_204C)
    soc.write("DMA2", "S0M0AR", 0x2000_0000)
    soc.write("DMA2", "S0NDTR", 6)
    # MSIZE, PSIZE half-words, MINC, CIRC, EN
    soc.write("DMA2", "S0CR", 1 << 13 | 1 << 11 | 1 << 10 | (1 << 8 if dds else 0) | 1)
    soc.write("ADC1", "CR1", SCAN)
    soc.write("ADC1", "CR2", ADON | SW | CONT | DMA | dds)
    wait(soc, 6 * CONVERSION + 10 * US)
    data = soc.memory.read(0x2000_0000, 12)
    found = [int.from_bytes(data[n : n + 2], "little") for n in range(0, 12, 2)]
    assert found == [150, 450, 550, 150, 450, 550]
    hold(soc, "PA1", 0)
    wait(soc, 200 * US)
    assert int.from_bytes(soc.memory.read(0x2000_0000, 2), "little") == (0 if dds else 150)
    assert not soc.read("ADC1", "SR") & OVR


def test_a_dma_that_is_not_there_is_an_overrun() -> None:
    soc = converter()
    hold(soc, "PA0", 1_000_000)
    soc.write("ADC1", "CR2", ADON | SW | CONT | DMA)
    wait(soc, 100 * US)
    assert soc.read("ADC1", "SR") & OVR


# ---------------------------------------------------------------------------- the analog watchdog


@pytest.mark.parametrize(("uv", "barks"), [(900_000, True), (1_500_000, False), (2_100_000, True)])
def test_the_watchdog_barks_outside_its_thresholds(uv: int, barks: bool) -> None:
    soc = converter()
    soc.write("ADC1", "LTR", quantised(1_000_000, 3_300_000, 12))
    soc.write("ADC1", "HTR", quantised(2_000_000, 3_300_000, 12))
    soc.write("ADC1", "CR1", AWDEN)
    hold(soc, "PA0", uv)
    convert(soc)
    assert bool(soc.read("ADC1", "SR") & AWD) == barks


def test_the_watchdog_of_a_single_channel_and_of_a_group() -> None:
    soc = converter()
    ladder(soc)
    group(soc, 5, 6)
    injected(soc, 1)
    soc.write("ADC1", "HTR", 600)
    soc.write("ADC1", "LTR", 500)
    for cr1, barks in ((AWDEN | AWDSGL | 5, 0), (AWDEN | AWDSGL | 6, 1), (AWDEN, 1), (JAWDEN, 1)):
        soc.write("ADC1", "CR1", SCAN | cr1)
        soc.write("ADC1", "SR", 0)
        soc.write("ADC1", "CR2", ADON | SW)
        wait(soc, 10 * US)
        if cr1 == JAWDEN:
            assert not soc.read("ADC1", "SR") & AWD
            soc.write("ADC1", "CR2", ADON | JSW)
            wait(soc, 10 * US)
        assert soc.read("ADC1", "SR") & AWD == barks


def test_a_step_wakes_the_watchdog_within_a_conversion_and_waiting_costs_nothing() -> None:
    soc = converter()
    requests = Requests(soc)
    hold(soc, "PA0", 1_000_000)
    soc.write("ADC1", "HTR", 2000)
    soc.write("ADC1", "CR1", AWDEN | AWDIE)
    soc.write("ADC1", "CR2", ADON | SW | CONT)
    wait(soc, 100 * US)
    assert soc.scheduler.next_ps > 1 << 60
    wait(soc, 10**12)
    step = soc.now_ps
    hold(soc, "PA0", 3_000_000)
    wait(soc, 100 * US)
    assert [(irq, level) for _, irq, level in requests.changes] == [(18, True)]
    assert 0 < requests.changes[0][0] - step <= 2 * CONVERSION


def test_a_ramp_trips_the_watchdog_at_the_conversion_that_crosses() -> None:
    soc = converter()
    requests = Requests(soc)
    soc.write("ADC1", "HTR", 2047)
    soc.write("ADC1", "CR1", AWDEN | AWDIE)
    start = soc.now_ps
    hold(soc, "PA0", 0, to_uv=3_300_000, over_ps=1000 * US)
    soc.write("ADC1", "CR2", ADON | SW | CONT)
    wait(soc, 2000 * US)
    (t, _, _) = requests.changes[0]
    crossing = start + 1000 * US * 20475 // 40960
    assert 0 <= t - crossing <= 2 * CONVERSION


@pytest.mark.parametrize(
    ("shape", "crossing"),
    [
        ({"to_uv": 3_300_000, "over_ps": 10**13}, 10**13 * 20475 // 40960),
        # Half the amplitude above the middle at a twelfth of the period.
        ({"uv": 1_650_000, "amplitude_uv": 1_000_000, "period_ps": 12 * 10**12}, 10**12),
    ],
    ids=["ramp", "sine"],
)
def test_waiting_for_a_slow_voltage_to_cross_costs_next_to_nothing(
    shape: dict[str, int], crossing: int
) -> None:
    soc = converter()
    requests = Requests(soc)
    soc.write("ADC1", "HTR", 2047 if "over_ps" in shape else quantised(2_150_000, 3_300_000, 12))
    soc.write("ADC1", "CR1", AWDEN | AWDIE)
    start = soc.now_ps
    hold(soc, "PA0", shape.pop("uv", 0), **shape)
    asked = asked_of(soc)
    soc.write("ADC1", "CR2", ADON | SW | CONT)
    wait(soc, 2 * 10**12 if "period_ps" in shape else 10**13)
    (t, _, _) = requests.changes[0]
    # The sine takes 1.8 ms for an LSB, the ramp 3 us for a microvolt.
    slack = 1_800 * US if "period_ps" in shape else 10 * US
    assert -slack <= t - start - crossing <= slack
    assert len(asked) < 3000


# ---------------------------------------------------------------------------- triggers


def test_a_timer_triggers_by_its_update() -> None:
    soc = converter("TIM2", "TIM3")
    ladder(soc)
    group(soc, 5)
    requests = Requests(soc)
    soc.write("ADC1", "CR1", EOCIE)
    soc.write("ADC1", "CR2", ADON | 1 << 28 | 6 << 24)  # rising, TIM2_TRGO
    soc.write("TIM2", "ARR", 1599)  # 100 µs
    soc.write("TIM2", "CR2", 2 << 4)
    soc.write("TIM2", "CR1", 1)
    found = []
    for _ in range(5):
        while not soc.read("ADC1", "SR") & EOC:
            soc.run_until(soc.scheduler.next_ps)
        found.append(soc.now_ps)
        assert soc.read("ADC1", "DR") == 550
    assert {b - a for a, b in pairwise(found)} == {100 * US}
    assert [level for _, _, level in requests.changes] == [True, False] * 5


@pytest.mark.parametrize(("edges", "count"), [(1, 3), (2, 3), (3, 6)])
def test_a_compare_output_triggers_by_the_edges_that_are_selected(edges: int, count: int) -> None:
    soc = converter("TIM3")
    ladder(soc)
    group(soc, 5)
    soc.write("ADC1", "CR2", ADON | EOCS | edges << 28 | 7 << 24)  # TIM3_CH1
    soc.write("TIM3", "ARR", 1599)
    soc.write("TIM3", "CCR1", 800)
    soc.write("TIM3", "CCMR1", 6 << 4)
    soc.write("TIM3", "CCER", 1)
    soc.write("TIM3", "CR1", 1)
    seen = 0
    soc.read("ADC1", "DR")
    start = soc.now_ps + 30 * US
    soc.run_until(start)
    soc.read("ADC1", "DR")
    while soc.now_ps < start + 300 * US:
        wait(soc, US)
        if soc.read("ADC1", "SR") & EOC:
            seen += 1
            soc.read("ADC1", "DR")
    assert seen == count


def test_an_exti_line_triggers() -> None:
    soc = converter("EXTI", "SYSCFG")
    ladder(soc)
    injected(soc, 1)
    soc.write("EXTI", "RTSR", 1 << 15)
    soc.write("EXTI", "EMR", 1 << 15)
    soc.write("ADC1", "CR2", ADON | 1 << 20 | 15 << 16)
    soc.fabric.pads["PA15"].drive_outside(soc.now_ps, "test", 0)
    wait(soc, 10 * US)
    soc.fabric.pads["PA15"].drive_outside(soc.now_ps, "test", 1)
    wait(soc, 10 * US)
    assert soc.read("ADC1", "JDR1") == 150


def test_a_reserved_trigger_is_told() -> None:
    soc = converter()
    soc.write("ADC1", "CR2", ADON | 1 << 28 | 13 << 24)
    assert [h.code for h in hazards(soc)] == ["reserved-value"]


# ---------------------------------------------------------------------------- internal sources


def internal(soc: Soc, channel: int, ccr: int, smp: int = 7) -> int:
    soc.write("ADC1_COMMON", "CCR", ccr)
    soc.write("ADC1", "SMPR1", smp << 3 * (channel - 10))
    soc.write("ADC1", "SQR3", channel)
    wait(soc, 20 * US)
    return convert(soc)


def test_the_reference_and_the_sensor_agree_with_their_calibration() -> None:
    soc = converter("UID")
    reference = internal(soc, 17, 1 << 23)
    assert abs(reference - soc.read("UID", "VREFIN_CAL")) <= 1
    code = internal(soc, 18, 1 << 23)
    cold, hot = soc.read("UID", "TS_CAL1"), soc.read("UID", "TS_CAL2")
    assert abs(30 + (code - cold) * 80 / (hot - cold) - 25) < 0.5
    assert hazards(soc) == []


def test_vbat_takes_the_channel_from_the_sensor_and_leaves_it_the_other() -> None:
    """Channel 16 is where ST's drivers for this chip find the sensor."""
    soc = converter()
    sensor = internal(soc, 18, 1 << 23)
    assert internal(soc, 18, 3 << 22) == 1024
    assert internal(soc, 16, 3 << 22) == sensor
    assert hazards(soc) == []


@pytest.mark.parametrize(
    ("channel", "ccr", "smp", "code"),
    [(17, 0, 7, "adc-source-off"), (18, 0, 7, "adc-source-off"), (18, 1 << 23, 3, "adc-sampling"),
     (18, 1 << 22, 1, "adc-sampling"), (16, 1 << 22, 7, "adc-source-off"),
     (16, 1 << 23, 3, "adc-sampling")],
)  # fmt: skip
def test_internal_channels_that_cannot_be_trusted(
    channel: int, ccr: int, smp: int, code: str
) -> None:
    soc = converter()
    internal(soc, channel, ccr, smp)
    assert [h.code for h in hazards(soc)] == [code]


# ---------------------------------------------------------------------------- hazards


def codes(soc: Soc) -> list[str]:
    return [h.code for h in hazards(soc)]


def test_a_pin_that_is_not_analog_is_told_and_converted() -> None:
    soc = converter(analog="PA1")
    hold(soc, "PA0", 1_650_000)
    assert convert(soc) == 2048
    assert codes(soc) == ["adc-pin-mode"]


def test_a_pull_of_an_input_bends_the_voltage_of_a_weak_source() -> None:
    soc = converter(analog="PA1")
    soc.write("GPIOA", "PUPDR", 1)
    hold(soc, "PA0", 0, ohm=40_000)
    soc.write("ADC1", "SMPR2", 7)
    assert convert(soc) == 2048


def test_a_floating_pin_reads_as_chance_will_have_it_and_is_told() -> None:
    soc = converter()
    convert(soc)
    assert codes(soc) == ["floating-input"]


def test_a_pin_that_comes_to_float_later_is_told_too() -> None:
    soc = converter()
    hold(soc, "PA0", 1_000_000)
    soc.write("ADC1", "CR2", ADON | SW | CONT)
    wait(soc, 1000 * US)
    assert codes(soc) == []
    hold(soc, "PA0", None)
    wait(soc, 1000 * US)
    assert codes(soc) == ["floating-input"]


def test_a_conversion_before_the_converter_is_stable_is_told() -> None:
    soc = soc_with(*NAMES)
    soc.write("GPIOA", "MODER", soc.read("GPIOA", "MODER") | 3)
    hold(soc, "PA0", 1_000_000)
    soc.write("ADC1", "CR2", ADON)
    wait(soc, 2 * US)
    convert(soc)
    assert codes(soc) == ["adc-stabilising"]


def test_a_start_without_adon_is_told_and_does_nothing() -> None:
    soc = soc_with(*NAMES)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 100 * US)
    assert soc.read("ADC1", "SR") == 0
    assert codes(soc) == ["adc-off"]


@pytest.mark.parametrize(("mhz", "pre", "found"), [(84, 0, ["adc-clock"]), (84, 1, []), (72, 0, []),
                                                   (2, 3, ["adc-clock-slow"])])  # fmt: skip
def test_the_clock_of_the_converter_has_limits(mhz: int, pre: int, found: list[str]) -> None:
    soc = converter(hz=mhz * MHZ)
    hold(soc, "PA0", 1_000_000)
    soc.write("ADC1_COMMON", "CCR", pre << 16)
    convert(soc)
    assert codes(soc) == found


@pytest.mark.parametrize(("smp", "found"), [(0, ["adc-sampling"]), (3, [])])
def test_a_source_of_high_impedance_needs_its_time(smp: int, found: list[str]) -> None:
    soc = converter()
    hold(soc, "PA0", 1_000_000, ohm=25_000)
    soc.write("ADC1", "SMPR2", smp)
    convert(soc)
    assert codes(soc) == found


def test_the_equation_of_the_data_sheet() -> None:
    # (k - 0.5) / (fADC CADC ln 2^14) - RADC by hand: 83.5 / (21e6 * 4e-12 * 9.704) - 6000 = 96.4k
    assert most_ohm(84, 21e6, 12) == 50_000  # never more than that
    assert most_ohm(15, 21e6, 12) == pytest.approx(11_788, abs=5)
    assert most_ohm(3, 21e6, 12) == 0


def test_a_voltage_above_the_supply_is_told() -> None:
    soc = converter()
    hold(soc, "PA0", 5_000_000)
    assert convert(soc) == 4095
    assert codes(soc) == ["over-voltage"]


def test_what_st_itself_is_of_two_minds_about_is_a_gap() -> None:
    soc = converter()
    soc.write("ADC1", "CR1", 1 << 24 | AWDEN)
    assert gaps(soc) == ["ADC1.CR1.RES"]


# ---------------------------------------------------------------------------- looking


@settings(max_examples=60, deadline=None)
@given(
    cr1=st.sampled_from(
        [0, SCAN, SCAN | JAUTO, SCAN | AWDEN, SCAN | DISCEN, SCAN | JAUTO | JAWDEN]
    ),
    ie=st.sampled_from([0, EOCIE, JEOCIE, AWDIE, OVRIE]),
    cr2=st.sampled_from([0, CONT, EOCS, CONT | EOCS]),
    channels=st.lists(st.sampled_from([0, 1, 4]), min_size=1, max_size=4),
    acts=st.lists(
        st.tuples(
            st.integers(1, 400 * US),
            st.sampled_from(["start", "inject", "read", "step", "ramp", "sine", "clear"]),
            st.integers(0, 3_300_000),
        ),
        min_size=1,
        max_size=12,
    ),
    every=st.integers(100_000, 20 * US),
)
def test_it_is_the_same_however_often_somebody_looks(cr1, ie, cr2, channels, acts, every) -> None:
    """Conversions done when asked for, and done one by one, give the same."""

    def life(*, looking: bool) -> list[object]:
        soc = converter()
        requests = Requests(soc)
        for pin in ("PA0", "PA1", "PA4"):
            hold(soc, pin, 1_000_000)
        group(soc, *channels)
        injected(soc, 1, 4)
        soc.write("ADC1", "HTR", 3000)
        soc.write("ADC1", "CR1", cr1 | ie)
        seen: list[object] = []
        for delay, what, uv in acts:
            until = soc.now_ps + delay
            while looking and soc.now_ps + every < until:
                wait(soc, every)
                soc.read("ADC1", "SR")
            soc.run_until(until)
            match what:
                case "start":
                    soc.write("ADC1", "CR2", ADON | cr2 | SW)
                case "inject":
                    soc.write("ADC1", "CR2", ADON | cr2 | JSW)
                case "read":
                    seen.append(soc.read("ADC1", "DR"))
                case "clear":
                    soc.write("ADC1", "SR", 0)
                case "step":
                    hold(soc, "PA1", uv)
                case "ramp":
                    hold(soc, "PA0", uv, to_uv=3_300_000 - uv, over_ps=300 * US)
                case "sine":
                    hold(soc, "PA4", 1_650_000, amplitude_uv=uv // 2, period_ps=70 * US)
            seen += [soc.read("ADC1", name) for name in ("SR", "JDR1", "JDR2")]
        return [*seen, requests.changes, [(h.t_ps, h.code) for h in hazards(soc)]]

    assert life(looking=False) == life(looking=True)
