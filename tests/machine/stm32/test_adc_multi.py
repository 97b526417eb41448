"""Three converters of the STM32F407, each for itself and together, without a core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.machine.memory import MemoryMap
from fwgen.machine.soc import Soc
from fwgen.machine.stm32.adc_v2.multi import MODES, mode_of
from fwgen.trace import Gap, Hazard, Voltage
from tests.machine.stm32.alone import Requests

if TYPE_CHECKING:
    from collections.abc import Sequence

US = 10**6
TICK = 125_000  # ADCCLK: 16 MHz through 2
SUPPLY = 3_000_000
ADCS = ("ADC1", "ADC2", "ADC3")
ADON, CONT, DMA, DDS, EOCS, JSW, SW = (1 << n for n in (0, 1, 8, 9, 10, 22, 30))
EOC, JEOC, STRT, OVR = 2, 4, 16, 32
SCAN = 1 << 8
COMMON = "ADC123_COMMON"
RAM = 0x2000_0000
PINS = ("PA1", "PA2", "PA3", "PC0", "PC1", "PC2")  # channels 1, 2, 3, 10, 11, 12 of all three


def fresh(gates: int = 7) -> Soc:
    """All three on and stable; the six pins are at 100, 200 ... steps of 12 bits."""
    soc = Soc(load_board("stm32f4-discovery"))
    soc.memory = MemoryMap(soc.chip)
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    soc.write("RCC", "AHB1ENR", 1 << 22 | 0xFF)
    soc.write("RCC", "APB1ENR", 0x3F)
    for nth in range(3):  # one after the other, out of step with ADCCLK
        gates_now = gates & (2 << nth) - 1
        soc.write("RCC", "APB2ENR", gates_now << 8 | 1 << 14 | 2)
        wait(soc, US + 62_500)
    for port in "AC":
        soc.write(f"GPIO{port}", "MODER", soc.read(f"GPIO{port}", "MODER") | 0xFF)
    for nth, pin in enumerate(PINS, 1):
        hold(soc, pin, nth * 100)
    for name in ADCS:
        if gates >> ADCS.index(name) & 1:
            soc.write(name, "CR2", ADON)
    wait(soc, 10 * US)
    return soc


def hold(soc: Soc, pin: str, code: int) -> None:
    uv = round(code * SUPPLY / 4096)
    soc.fabric.pads[pin].set_voltage(soc.now_ps, Voltage(soc.now_ps, pin, uv, uv))


def wait(soc: Soc, ps: int) -> None:
    soc.run_until(soc.now_ps + ps)


def told(soc: Soc) -> list[str]:
    return [e.code for e in soc.recorder.events if isinstance(e, Hazard)]


def gaps(soc: Soc) -> list[str]:
    return [e.detail for e in soc.recorder.events if isinstance(e, Gap)]


def ccr(soc: Soc, multi: int, *, delay: int = 5, dma: int = 0, dds: int = 1) -> None:
    soc.write(COMMON, "CCR", multi | (delay - 5) << 8 | dds << 13 | dma << 14)


def sequence(soc: Soc, *channels: Sequence[int], injected: bool = False) -> None:
    """What ADC1, ADC2 and ADC3 convert."""
    for name, each in zip(ADCS, channels, strict=False):
        soc.write(name, "CR1", SCAN)
        packed = sum(channel << 5 * n for n, channel in enumerate(each))
        if injected:
            soc.write(name, "JSQR", packed << 5 * (4 - len(each)) | (len(each) - 1) << 20)
        else:
            soc.write(name, "SQR3", packed)
            soc.write(name, "SQR1", (len(each) - 1) << 20)


def stream(soc: Soc, count: int, size: int, *, circular: bool = False) -> None:
    """DMA2 stream 0 takes CDR into RAM; ``size``: 1 is 16 bits, 2 is 32."""
    soc.write("DMA2", "S0PAR", 0x4001_2308)
    soc.write("DMA2", "S0M0AR", RAM)
    soc.write("DMA2", "S0NDTR", count)
    soc.write("DMA2", "S0CR", size << 13 | size << 11 | 1 << 10 | circular << 8 | 1)


def stored(soc: Soc, count: int, size: int) -> list[int]:
    assert soc.memory is not None
    data = soc.memory.read(RAM, count * size)
    return [int.from_bytes(data[n : n + size], "little") for n in range(0, len(data), size)]


# ---------------------------------------------------------------------------- each for itself


def test_each_converts_for_itself_at_its_own_pace() -> None:
    soc = fresh()
    for nth, name in enumerate(ADCS):
        soc.write(name, "SQR3", nth + 1)
        soc.write(name, "SMPR2", nth << 3 * (nth + 1))
        soc.write(name, "CR2", ADON | SW)
    wait(soc, 20 * US)
    assert [soc.read(name, "DR") for name in ADCS] == [100, 200, 300]
    assert told(soc) == []


def test_the_common_status_shows_all_three() -> None:
    soc = fresh()
    soc.write("ADC2", "SQR3", 2)
    soc.write("ADC2", "CR2", ADON | SW)
    wait(soc, 20 * US)
    soc.write("ADC3", "SQR3", 3)
    soc.write("ADC3", "CR2", ADON | SW)
    assert soc.read(COMMON, "CSR") == (STRT | EOC) << 8 | STRT << 16
    wait(soc, 20 * US)
    assert soc.read(COMMON, "CSR") == (STRT | EOC) << 8 | (STRT | EOC) << 16


@pytest.mark.parametrize(
    ("name", "channel", "pin"),
    [
        ("ADC1", 4, "PA4"), ("ADC2", 4, "PA4"), ("ADC3", 4, ""), ("ADC3", 0, "PA0"),
        ("ADC2", 15, "PC5"), ("ADC3", 15, ""), ("ADC3", 13, "PC3"), ("ADC1", 9, "PB1"),
        ("ADC3", 9, ""), ("ADC2", 16, ""), ("ADC3", 18, ""), ("ADC1", 19, ""),
    ],
)  # fmt: skip
def test_which_channel_is_which_pin(name: str, channel: int, pin: str) -> None:
    """DS8626 Table 7, package LQFP100."""
    soc = fresh()
    soc.write(name, "SQR3", channel)
    if pin:
        hold(soc, pin, 777)
    soc.write(name, "CR2", ADON | SW)
    wait(soc, 100 * US)
    assert ("adc-channel" in told(soc)) is not bool(pin)
    if pin:
        assert soc.read(name, "DR") == 777


def test_sensor_reference_and_vbat_have_channels_of_their_own_on_adc1() -> None:
    soc = fresh()
    soc.write(COMMON, "CCR", 3 << 22)
    soc.write("ADC1", "SMPR1", 7 << 18 | 7 << 21 | 7 << 24)
    wait(soc, 20 * US)
    got = []
    for channel in (16, 17, 18):
        soc.write("ADC1", "SQR3", channel)
        soc.write("ADC1", "CR2", ADON | SW)
        wait(soc, 100 * US)
        got.append(soc.read("ADC1", "DR"))
    assert got == [round(uv * 4096 / SUPPLY) for uv in (760_000, 1_210_000, SUPPLY // 2)]
    assert told(soc) == []


def test_vbat_is_off_without_vbate() -> None:
    soc = fresh()
    soc.write(COMMON, "CCR", 1 << 23)
    soc.write("ADC1", "SMPR1", 7 << 24)
    soc.write("ADC1", "SQR3", 18)
    wait(soc, 20 * US)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 100 * US)
    assert told(soc) == ["adc-source-off"]


def test_tim8_triggers() -> None:
    soc = fresh()
    soc.write("ADC2", "SQR3", 2)
    soc.write("ADC2", "CR2", ADON | 14 << 24 | 1 << 28)
    soc.write("TIM8", "CR2", 2 << 4)
    soc.write("TIM8", "ARR", 159)
    soc.write("TIM8", "CR1", 1)
    wait(soc, 20 * US)
    assert soc.read("ADC2", "DR") == 200


def test_all_share_one_interrupt_line() -> None:
    soc = fresh()
    heard = Requests(soc)
    for name in ("ADC2", "ADC3"):
        soc.write(name, "CR1", 1 << 5)
        soc.write(name, "SQR3", 1)
        soc.write(name, "CR2", ADON | SW)
    wait(soc, 20 * US)
    soc.read("ADC2", "DR")
    assert [(irq, level) for _, irq, level in heard.changes] == [(18, True)]
    soc.read("ADC3", "DR")
    assert [(irq, level) for _, irq, level in heard.changes][1:] == [(18, False)]


# ---------------------------------------------------------------------------- modes


def test_the_modes_that_there_are() -> None:
    """RM0090 §13.13.16, MULTI."""
    known = {0, *(m for m in range(32) if mode_of(m))}
    assert known == {0, 1, 2, 5, 6, 7, 9, 17, 18, 21, 22, 23, 25}
    assert len(MODES) == 6


def test_a_reserved_mode_is_told() -> None:
    soc = fresh()
    ccr(soc, 3)
    assert told(soc) == ["reserved-value"]


def test_regular_simultaneous_samples_at_one_moment_though_the_gates_opened_apart() -> None:
    soc = fresh()
    ccr(soc, 0b10110)
    sequence(soc, (1,), (2,), (3,))
    wait(soc, 33_000)
    soc.write("ADC1", "CR2", ADON | SW)
    ends = {}
    for _ in range(400):
        wait(soc, TICK // 25)
        for name in ADCS:
            if soc.read(name, "SR") & EOC:
                ends.setdefault(name, soc.now_ps)
    assert len(set(ends.values())) == 1
    assert len(ends) == 3
    assert [soc.read(name, "DR") for name in ADCS] == [100, 200, 300]


def test_a_prescaler_changed_keeps_them_in_step() -> None:
    soc = fresh()
    soc.write("RCC", "CFGR", 4 << 13)
    wait(soc, 2 * US + 31_250)
    soc.write(COMMON, "CCR", 0b110 | 1 << 16)
    wait(soc, 7 * US)
    domains = [soc.peripherals[name].adcclk for name in ADCS]
    assert {domain.hz for domain in domains} == {2 * 10**6}
    now = soc.now_ps
    assert len({domain.next_edge(now) for domain in domains}) == 1


@pytest.mark.parametrize("dual", [True, False])
def test_mode_1_brings_one_after_the_other(dual: bool) -> None:
    soc = fresh()
    count = 2 if dual else 3
    ccr(soc, 0b00110 if dual else 0b10110, dma=1)
    sequence(soc, (1, 10), (2, 11), (3, 12))
    stream(soc, 2 * count, 1)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 30 * US)
    expected = [100, 200, 300][:count] + [400, 500, 600][:count]
    assert stored(soc, 2 * count, 2) == expected
    assert not any(soc.read(name, "SR") & OVR for name in ADCS)
    assert told(soc) == []


def test_mode_2_brings_pairs_as_words() -> None:
    soc = fresh()
    ccr(soc, 0b00110, dma=2)
    sequence(soc, (1, 10), (2, 11))
    stream(soc, 2, 2)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 30 * US)
    assert stored(soc, 2, 4) == [200 << 16 | 100, 500 << 16 | 400]


def test_triple_interleaved_brings_the_three_in_turns() -> None:
    """§13.9, DMA mode 2: 2 and 1, 1 and 3, 3 and 2."""
    soc = fresh()
    ccr(soc, 0b10111, dma=2, dds=0)
    sequence(soc, (1,), (2,), (3,))
    stream(soc, 6, 2)
    for name in ADCS:
        soc.write(name, "CR2", ADON | CONT)
    soc.write("ADC1", "CR2", ADON | CONT | SW)
    wait(soc, 30 * US)
    one = [200 << 16 | 100, 100 << 16 | 300, 300 << 16 | 200]
    assert stored(soc, 6, 4) == one * 2
    assert told(soc) == []
    assert gaps(soc) == []


def test_mode_3_brings_bytes() -> None:
    soc = fresh()
    ccr(soc, 0b00111, dma=3)
    sequence(soc, (1,), (2,))
    for name in ADCS[:2]:
        soc.write(name, "CR1", 2 << 24)
    stream(soc, 1, 1)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 30 * US)
    assert stored(soc, 1, 2) == [round(200 / 16) << 8 | round(100 / 16)]


@pytest.mark.parametrize(("delay", "smp", "apart"), [(5, 0, 5), (8, 0, 8), (5, 1, 17), (20, 1, 20)])
def test_interleaved_converters_start_so_far_apart(delay: int, smp: int, apart: int) -> None:
    """§13.9.3: at least DELAY, and never while the other still samples."""
    soc = fresh()
    ccr(soc, 0b00111, delay=delay)
    sequence(soc, (1,), (1,))
    for name in ADCS[:2]:
        soc.write(name, "SMPR2", smp << 3)
    soc.write("ADC1", "CR2", ADON | SW)
    ends: dict[str, int] = {}
    for _ in range(100):
        wait(soc, TICK)
        for name in ADCS[:2]:
            if soc.read(name, "SR") & EOC:
                ends.setdefault(name, soc.now_ps)
    assert ends["ADC2"] - ends["ADC1"] == apart * TICK
    assert told(soc) == []


def test_endless_interleaving_with_too_long_a_delay_is_a_gap() -> None:
    soc = fresh()
    ccr(soc, 0b00111, delay=8)
    sequence(soc, (1,), (1,))
    for name in ADCS[:2]:
        soc.write(name, "CR2", ADON | CONT)
    soc.write("ADC1", "CR2", ADON | CONT | SW)
    assert len(gaps(soc)) == 1


def test_injected_simultaneous() -> None:
    soc = fresh()
    ccr(soc, 0b10101)
    sequence(soc, (1, 10), (2, 11), (3, 12), injected=True)
    soc.write("ADC1", "CR2", ADON | JSW)
    wait(soc, 20 * US)
    assert [soc.read(name, "SR") & JEOC for name in ADCS] == [JEOC] * 3
    assert [soc.read(name, "JDR1") for name in ADCS] == [100, 200, 300]
    assert [soc.read(name, "JDR2") for name in ADCS] == [400, 500, 600]


@pytest.mark.parametrize("count", [2, 3])
def test_alternate_trigger_goes_round(count: int) -> None:
    soc = fresh()
    ccr(soc, 0b01001 if count == 2 else 0b11001)
    sequence(soc, (1,), (2,), (3,), injected=True)
    done = []
    for _ in range(2 * count):
        for name in ADCS:
            soc.write(name, "SR", 0)
        soc.write("ADC1", "CR2", ADON | JSW)
        wait(soc, 5 * US)
        done += [name for name in ADCS if soc.read(name, "SR") & JEOC]
    assert done == [*ADCS[:count]] * 2
    assert [soc.read(name, "JDR1") for name in ADCS[:count]] == [100, 200, 300][:count]


def test_simultaneous_regular_groups_stop_for_an_alternate_trigger_and_go_on_together() -> None:
    soc = fresh()
    ccr(soc, 0b00010, dma=2)
    sequence(soc, (1, 10), (2, 11))
    sequence(soc, (3,), (3,), injected=True)
    stream(soc, 2, 2)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 5 * TICK)  # both within their first conversion
    soc.write("ADC1", "CR2", ADON | JSW)
    wait(soc, 10 * TICK)
    assert [soc.read(name, "SR") & (EOC | JEOC) for name in ADCS[:2]] == [0, 0]
    wait(soc, 9 * TICK)
    assert [soc.read(name, "SR") & (EOC | JEOC) for name in ADCS[:2]] == [JEOC, 0]
    wait(soc, 40 * TICK)
    assert stored(soc, 2, 4) == [200 << 16 | 100, 500 << 16 | 400]
    assert soc.read("ADC1", "JDR1") == 300


def test_simultaneous_regular_groups_stop_for_simultaneous_injected_ones() -> None:
    soc = fresh()
    ccr(soc, 0b10001, dma=1)
    sequence(soc, (1,), (2,), (3,))
    sequence(soc, (10,), (11,), (12,), injected=True)
    stream(soc, 3, 1)
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 5 * TICK)
    soc.write("ADC1", "CR2", ADON | JSW)
    wait(soc, 50 * TICK)
    assert stored(soc, 3, 2) == [100, 200, 300]
    assert [soc.read(name, "JDR1") for name in ADCS] == [400, 500, 600]


def test_the_dma_ends_with_its_last_item_unless_dds_is_set() -> None:
    for dds, again in ((0, False), (1, True)):
        soc = fresh()
        ccr(soc, 0b00110, dma=2, dds=dds)
        sequence(soc, (1,), (2,))
        stream(soc, 1, 2)
        soc.write("ADC1", "CR2", ADON | SW)
        wait(soc, 10 * US)
        soc.write("ADC1", "CR2", ADON | SW)
        wait(soc, 10 * US)
        assert soc.dma.level("DMA2", 0, 0) is again


def test_a_result_that_the_dma_did_not_take_is_an_overrun_and_ends_the_requests() -> None:
    soc = fresh()
    ccr(soc, 0b00110, dma=2)
    sequence(soc, (1,), (2,))
    for name in ADCS[:2]:
        soc.write(name, "CR2", ADON | CONT)
    soc.write("ADC1", "CR2", ADON | CONT | SW)
    wait(soc, 20 * US)
    assert soc.read("ADC1", "SR") & OVR
    assert not soc.dma.level("DMA2", 0, 0)
    assert set(told(soc)) == {"adc-overrun"}


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("length", "differ in length"), ("channel", "one channel"), ("off", "ADC2, which is off"),
        ("slave", "triggered by itself"), ("cont", "CONT is not"), ("switch", "without 0"),
    ],
)  # fmt: skip
def test_what_the_manual_forbids_is_told(what: str, says: str) -> None:
    soc = fresh()
    ccr(soc, 0b00110)
    sequence(soc, (1,), (1,) if what == "channel" else (2, 11) if what == "length" else (2,))
    if what == "off":
        soc.write("ADC2", "CR2", 0)
    if what == "switch":
        ccr(soc, 0b00111)
    cr2 = ADON | (CONT if what == "cont" else 0)
    soc.write("ADC2" if what == "slave" else "ADC1", "CR2", cr2 | SW)
    wait(soc, US)
    messages = [e.message for e in soc.recorder.events if isinstance(e, Hazard)]
    assert any(says in message for message in messages), messages
    assert "adc-multi" in told(soc)


def test_common_data_without_dma_are_the_last_ones() -> None:
    soc = fresh()
    ccr(soc, 0b00110)
    sequence(soc, (1,), (2,))
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 10 * US)
    soc.read("ADC1", "DR")
    soc.read("ADC2", "DR")
    assert soc.read(COMMON, "CDR") == 200 << 16 | 100
    assert gaps(soc) == []
    soc.write("ADC1", "CR2", ADON | SW)
    wait(soc, 10 * US)
    soc.read(COMMON, "CDR")
    assert gaps(soc) == ["whether reading the common data without DMA clears EOC"]


def test_a_reset_ends_it_all() -> None:
    soc = fresh()
    ccr(soc, 0b10111, dma=2)
    sequence(soc, (1,), (2,), (3,))
    soc.write("ADC1", "CR2", ADON | SW)
    soc.write("RCC", "APB2RSTR", 1 << 8)
    soc.write("RCC", "APB2RSTR", 0)
    wait(soc, 10 * US)
    assert soc.read(COMMON, "CSR") == 0
    assert soc.read(COMMON, "CCR") == 0
    assert [soc.read(name, "CR2") for name in ADCS] == [0, 0, 0]
